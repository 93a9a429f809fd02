"""One measured value with its name and labels, before the collector adds `instance` and `job`."""

from __future__ import annotations

from dataclasses import dataclass

from alertsite.core.labels import METRIC_NAME


@dataclass(frozen=True, slots=True)
class Reading:
    """A value and the labels of its series, the metric name among them."""

    labels: dict[str, str]
    value: float


def reading(name: str, value: float, **labels: str) -> Reading:
    """A reading of the metric `name`. Bytes that are no text become question marks."""
    texts = {key: text.encode(errors="replace").decode() for key, text in labels.items()}
    return Reading({METRIC_NAME: name, **texts}, float(value))


def percent(ratio: float) -> float:
    """A ratio as percent, held between 0 and 100."""
    return 100.0 * min(max(ratio, 0.0), 1.0)
