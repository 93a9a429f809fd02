"""The Django app `ml`."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from ml.detectors.registry import DETECTORS
from ml.forecasting.registry import FORECASTERS


class MlConfig(AppConfig):
    """Series in, score series out."""

    name = "ml"

    def ready(self) -> None:
        """Networks may take a GPU where the operator says so."""
        DETECTORS.gpu = FORECASTERS.gpu = settings.ML_ENABLE_GPU
