"""Every detector by name, each one line; adding one is adding its file and its line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alertsite.core.errors import InvalidParameter
from ml.detectors.ensemble import Auto
from ml.detectors.ewma import Ewma
from ml.detectors.host_deviation import HostDeviation
from ml.detectors.host_ensemble import HostEnsemble
from ml.detectors.host_pca import HostPca
from ml.detectors.kmeans import KMeans
from ml.detectors.metric_ensemble import MetricEnsemble
from ml.detectors.protocol import Detector
from ml.detectors.robust_zscore import RobustZScore
from ml.detectors.seasonal_quantile import SeasonalQuantile
from ml.detectors.spectral_residual import SpectralResidual
from ml.detectors.sub_mahalanobis import SubMahalanobis
from ml.detectors.sub_pca import SubPca
from ml.detectors.vector_autoregression import VectorAutoregression

DETECTORS: Final[Mapping[str, Detector]] = {
    each.name: each
    for each in (
        Auto(),
        Ewma(),
        HostDeviation(),
        HostEnsemble(),
        HostPca(),
        KMeans(),
        MetricEnsemble(),
        RobustZScore(),
        SeasonalQuantile(),
        SpectralResidual(),
        SubMahalanobis(),
        SubPca(),
        VectorAutoregression(),
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
