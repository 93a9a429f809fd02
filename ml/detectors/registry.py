"""Every detector by name, each one line; adding one is adding its file and its line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alertsite.core.errors import InvalidParameter
from ml.detectors.ewma import Ewma
from ml.detectors.protocol import Detector
from ml.detectors.robust_zscore import RobustZScore
from ml.detectors.seasonal_quantile import SeasonalQuantile

DETECTORS: Final[Mapping[str, Detector]] = {
    each.name: each
    for each in (
        RobustZScore(),
        Ewma(),
        SeasonalQuantile(),
    )
}


def detector(name: str) -> Detector:
    """The detector of that name.

    Raises
    ------
    InvalidParameter
        If there is none.
    """
    try:
        return DETECTORS[name]
    except KeyError:
        raise InvalidParameter("detector", name, f"one of {', '.join(DETECTORS)}") from None
