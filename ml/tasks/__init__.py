"""Celery tasks of models."""

from ml.tasks.models import look_for_drift, score_groups, train_group, wake_models

__all__ = ["look_for_drift", "score_groups", "train_group", "wake_models"]
