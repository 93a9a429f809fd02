"""Celery tasks of models."""

from ml.tasks.models import score_groups, train_group, wake_models

__all__ = ["score_groups", "train_group", "wake_models"]
