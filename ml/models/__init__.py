"""Tables of model groups and what they learned."""

from ml.models.group import ModelGroup
from ml.models.version import ModelVersion

__all__ = ["ModelGroup", "ModelVersion"]
