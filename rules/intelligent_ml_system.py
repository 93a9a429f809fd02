"""Door: the documented names of machine learning and placement. What lives in `ml` is loaded by name.

Networks need torch (extra `ml`): without it their names can be imported, and using them says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from asgiref.sync import sync_to_async

from alertsite.core.clock import SystemClock
from alertsite.core.errors import InvalidParameter, PlatformError
from alertsite.runtime.starting import start_platform
from healing.automation.placing import Place, Policy, Ranking, move_playbook, rank

__all__ = [
    "DeepAnomalyDetector",
    "LSTMAutoencoder",
    "MissingTorch",
    "MultiCloudOrchestrator",
    "PredictiveAnalytics",
    "create_ultra_advanced_monitoring_system",
]

ARCHITECTURES: Final = ("lstm_autoencoder", "convolutional")
DEFAULTS: Final[Mapping[str, Any]] = {
    "dl_architecture": "lstm_autoencoder",
    "sequence_length": 50,
    "hidden_units": 128,
    "contamination": 0.1,
    "prediction_horizon": 24,
    "redis_url": "",
    "database_url": "",
}
"""`prediction_horizon` is in hours; the addresses are those of `create_rule_manager`."""


class MissingTorch(PlatformError):
    """A network was asked for, and torch is not installed."""

    code = "ml.missing_torch"

    def __init__(self) -> None:
        super().__init__("networks need torch, which is not installed; it is the extra 'ml' of this package")


class DeepAnomalyDetector:
    """Makes `ml.detectors.deep.DeepAnomalyDetector`: `learn(batch, seed=…)` gives a model that scores."""

    def __new__(cls, **terms: Any) -> Any:
        """The detector with these parameters.

        Raises
        ------
        MissingTorch
        """
        return _network("ml.detectors.deep", "DeepAnomalyDetector")(**terms)


class LSTMAutoencoder:
    """Makes `ml.detectors.lstm_autoencoder.LSTMAutoencoder`, the network itself, a torch module."""

    def __new__(cls, channels: int, hidden_units: int = 128) -> Any:
        """The untrained network.

        Raises
        ------
        MissingTorch
        """
        make = _network("ml.detectors.lstm_autoencoder", "LSTMAutoencoder")
        return make(channels, hidden_units=hidden_units)


def _network(module: str, name: str) -> Any:
    if find_spec("torch") is None:
        raise MissingTorch
    return getattr(import_module(module), name)


@dataclass(frozen=True, slots=True)
class PredictiveAnalytics:
    """Tells how likely alerts are within the horizon, in hours."""

    prediction_horizon: int

    async def predict_alert_likelihood(
        self, tenant: str, metrics: Mapping[str, float | Sequence[float]]
    ) -> dict[str, Any]:
        """`alert_probability`, `predicted_alerts`, `drivers` and `trust` for what is known of metrics now.

        Raises
        ------
        InvalidParameter
            If there is no such tenant, or a value is no number.
        """
        predict = import_module("ml.services.likelihood").predict_for_tenant
        horizon_s = self.prediction_horizon * 3600
        told: dict[str, Any] = await sync_to_async(predict)(
            tenant, metrics, horizon_s=horizon_s, clock=SystemClock()
        )
        return told


class MultiCloudOrchestrator:
    """Where to run, and how to get there: see `healing.automation.placing`."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def rank(self, places: Sequence[Place]) -> Ranking:
        """Places by score, each number explained."""
        return rank(places, self.policy)

    def plan_move(self, service: str, size: int, here: Place, there: Place, healthy: str) -> str:
        """The text of a playbook that starts there, verifies, and scales down here."""
        return move_playbook(service, size, here, there, healthy)


async def create_ultra_advanced_monitoring_system(config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The parts by name: `predictive_analytics`, and `deep_detector`, which makes the configured detector.

    Raises
    ------
    InvalidParameter
        If the configuration has an unknown name, architecture or horizon.
    """
    given = dict(config or {})
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise InvalidParameter("config", unknown[0], f"the names {', '.join(DEFAULTS)}")
    terms = {**DEFAULTS, **given}
    if terms["dl_architecture"] not in ARCHITECTURES:
        raise InvalidParameter(
            "dl_architecture", terms["dl_architecture"], f"one of {', '.join(ARCHITECTURES)}"
        )
    if not 1 <= terms["prediction_horizon"] <= 168:
        raise InvalidParameter("prediction_horizon", terms["prediction_horizon"], "1 to 168 hours")
    start_platform({"REDIS_URL": terms["redis_url"], "DATABASE_URL": terms["database_url"]})

    def deep_detector() -> Any:
        own = {name: terms[name] for name in ("sequence_length", "hidden_units", "contamination")}
        return DeepAnomalyDetector(architecture=terms["dl_architecture"], **own)

    return {
        "predictive_analytics": PredictiveAnalytics(terms["prediction_horizon"]),
        "deep_detector": deep_detector,
    }
