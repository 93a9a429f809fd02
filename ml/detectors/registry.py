"""Every detector by name, each one line; adding one is adding its file and its line here.

Those that need torch are imported when they are asked for, and are absent where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from alertsite.core.errors import InvalidParameter
from ml.detectors.ensemble import Auto
from ml.detectors.ewma import Ewma
from ml.detectors.half_space_trees import HalfSpaceTrees
from ml.detectors.host_deviation import HostDeviation
from ml.detectors.host_ensemble import HostEnsemble
from ml.detectors.host_pca import HostPca
from ml.detectors.isolation_forest import IsolationForest
from ml.detectors.kmeans import KMeans
from ml.detectors.metric_ensemble import MetricEnsemble
from ml.detectors.nearest_windows import NearestWindows
from ml.detectors.protocol import Detector
from ml.detectors.robust_zscore import RobustZScore
from ml.detectors.seasonal_quantile import SeasonalQuantile
from ml.detectors.spectral_residual import SpectralResidual
from ml.detectors.sub_mahalanobis import SubMahalanobis
from ml.detectors.sub_pca import SubPca
from ml.detectors.vector_autoregression import VectorAutoregression

LIGHT: Final[Mapping[str, Detector]] = {
    each.name: each
    for each in (
        Auto(),
        Ewma(),
        HalfSpaceTrees(),
        HostDeviation(),
        HostEnsemble(),
        HostPca(),
        IsolationForest(),
        KMeans(),
        MetricEnsemble(),
        NearestWindows(),
        RobustZScore(),
        SeasonalQuantile(),
        SpectralResidual(),
        SubMahalanobis(),
        SubPca(),
        VectorAutoregression(),
    )
}
DEEP: Final = ("lstm_autoencoder", "convolutional") if find_spec("torch") else ()
"""Architectures of `ml.detectors.deep`."""


@cache
def _deep(name: str, gpu: bool) -> Detector:
    device = import_module("ml.detectors.devices").device_for(gpu=gpu)
    made: Detector = import_module("ml.detectors.deep").DeepAnomalyDetector(architecture=name, device=device)
    return made


class Registry(Mapping[str, Detector]):
    """The detectors that can be used here. `gpu` says whether networks may take one."""

    gpu = False

    def __getitem__(self, name: str) -> Detector:
        """The detector of that name; loads torch for those that need it."""
        return _deep(name, self.gpu) if name in DEEP else LIGHT[name]

    def __iter__(self) -> Iterator[str]:
        """Names, the light ones first."""
        yield from LIGHT
        yield from DEEP

    def __len__(self) -> int:
        return len(LIGHT) + len(DEEP)


DETECTORS: Final = Registry()


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
