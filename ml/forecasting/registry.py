"""Every forecaster by name, each one line; adding one is adding its file and its line here.

Those that need torch are imported when they are asked for, and are absent where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from alertsite.core.errors import InvalidParameter
from alertsite.core.samples import Floats
from ml.detectors.artefacts import CorruptArtefact, pack, unpack
from ml.forecasting.boosted import Boosted
from ml.forecasting.combination import Combination
from ml.forecasting.holt_winters import HoltWinters
from ml.forecasting.protocol import Forecaster, ForecastModel
from ml.forecasting.seasonal import SeasonalBlend, SeasonalMedian, SeasonalNaive
from ml.forecasting.similar_days import SimilarDays

LIGHT: Final[Mapping[str, Forecaster]] = {
    each.name: each
    for each in (
        Combination(),
        Boosted(),
        SimilarDays(),
        SimilarDays(hours=12),
        HoltWinters(),
        SeasonalBlend(),
        SeasonalMedian("daily"),
        SeasonalMedian("weekly"),
        SeasonalNaive(),
    )
}
MODEL_PREFIX: Final = "model."
HALF: Final = "half"
DEEP: Final = ("lstm",) if find_spec("torch") else ()


@cache
def _deep(gpu: bool) -> Forecaster:
    device = import_module("ml.detectors.devices").device_for(gpu=gpu)
    made: Forecaster = import_module("ml.forecasting.lstm").LstmForecaster(device=device)
    return made


class Registry(Mapping[str, Forecaster]):
    """The forecasters that can be used here. `gpu` says whether networks may take one."""

    gpu = False

    def __getitem__(self, name: str) -> Forecaster:
        """The forecaster of that name; loads torch for those that need it."""
        return _deep(self.gpu) if name in DEEP else LIGHT[name]

    def __iter__(self) -> Iterator[str]:
        """Names, the light ones first."""
        yield from LIGHT
        yield from DEEP

    def __len__(self) -> int:
        return len(LIGHT) + len(DEEP)


FORECASTERS: Final = Registry()


def forecaster(name: str) -> Forecaster:
    """The forecaster of that name.

    Raises
    ------
    InvalidParameter
        If there is none.
    """
    try:
        return FORECASTERS[name]
    except KeyError:
        raise InvalidParameter("forecaster", name, f"one of {', '.join(FORECASTERS)}") from None


@dataclass(frozen=True, slots=True)
class CalibratedModel:
    """A model with half of the widths of its intervals, shape (n_levels, n_series, horizon)."""

    model: ForecastModel
    half: Floats


def save_forecast_model(model: ForecastModel, half: Floats) -> bytes:
    """A model and its intervals as an artefact, without pickle."""
    arrays = {MODEL_PREFIX + name: array for name, array in model.to_arrays().items()}
    return pack(model.forecaster, {HALF: half} | arrays)


def load_forecast_model(data: bytes) -> CalibratedModel:
    """The model in an artefact.

    Raises
    ------
    CorruptArtefact
        If the bytes are no artefact, or of a forecaster that is unknown here.
    """
    artefact = unpack(data)
    own = {
        name.removeprefix(MODEL_PREFIX): array
        for name, array in artefact.arrays.items()
        if name.startswith(MODEL_PREFIX)
    }
    try:
        return CalibratedModel(FORECASTERS[artefact.detector].restore(own), artefact.arrays[HALF])
    except (TypeError, KeyError, ValueError, IndexError, RuntimeError) as error:
        raise CorruptArtefact(f"artefact does not hold a {artefact.detector} model: {error}") from None
