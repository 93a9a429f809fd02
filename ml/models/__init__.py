"""Tables of model groups and what they learned."""

from ml.models.group import ModelGroup
from ml.models.operating import DriftEvent, SeenAnomaly, TrainingCheckpoint
from ml.models.version import ModelVersion

__all__ = ["DriftEvent", "ModelGroup", "ModelVersion", "SeenAnomaly", "TrainingCheckpoint"]
