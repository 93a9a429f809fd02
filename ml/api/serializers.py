"""Model groups and versions as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ml.models import DriftEvent, ModelGroup, ModelVersion
from ml.services.likelihood import MAX_VALUES
from rules.api.serializers import DurationField


class ModelGroupSerializer(serializers.ModelSerializer[ModelGroup]):
    """What is scored, by which detector and on which terms."""

    season = DurationField(source="season_s", required=False)
    warm_up = DurationField(source="warm_up_s", required=False)
    step = DurationField(source="step_s", required=False)
    retrain_interval = DurationField(source="retrain_interval_s", required=False)
    horizons = serializers.ListField(child=DurationField(), source="horizons_s", required=False)

    class Meta:
        model = ModelGroup
        fields = [
            "id",
            "name",
            "kind",
            "selector",
            "detector",
            "horizons",
            "threshold",
            "service_label",
            "host_label",
            "sensitivity",
            "direction",
            "min_deviation",
            "season",
            "warm_up",
            "step",
            "retrain_interval",
            "enabled",
            "state",
            "state_reason",
            "training_error",
            "threshold_scale",
            "threshold_reason",
            "threshold_at",
            "next_due_at",
            "next_train_at",
            "next_drift_at",
        ]
        read_only_fields = [
            "id",
            "state",
            "state_reason",
            "training_error",
            "threshold_scale",
            "threshold_reason",
            "threshold_at",
            "next_due_at",
            "next_train_at",
            "next_drift_at",
        ]


class ModelPreviewSerializer(ModelGroupSerializer):
    """A group that need not exist, and the span to score."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()

    class Meta(ModelGroupSerializer.Meta):
        fields = [*ModelGroupSerializer.Meta.fields, "start", "end"]


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """What was learned once."""

    series_count = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "group",
            "number",
            "parent",
            "status",
            "detector",
            "selector",
            "series_count",
            "checksum",
            "trained_from",
            "trained_until",
            "excluded",
            "quality",
            "shadow",
            "created_at",
        ]
        read_only_fields = fields

    def get_series_count(self, version: ModelVersion) -> int:
        """How many series it knows."""
        return len(version.series)


class DriftEventSerializer(serializers.ModelSerializer[DriftEvent]):
    """Drift that was seen."""

    class Meta:
        model = DriftEvent
        fields = ["id", "group", "version", "subject", "psi", "bound", "training_asked", "at"]
        read_only_fields = fields


class MetricsField(serializers.DictField):
    """Numbers, or lists of numbers an hour apart, by name of metric."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The same with floats."""
        values = super().to_internal_value(data)
        told = {name: [value] if isinstance(value, int | float) else value for name, value in values.items()}
        numbers = serializers.ListField(child=serializers.FloatField(), min_length=1, max_length=MAX_VALUES)
        return {name: numbers.run_validation(value) for name, value in told.items()}


class PredictionSerializer(serializers.Serializer[Any]):
    """What is known of metrics now, and how far to look."""

    metrics = MetricsField(required=False, default=dict)
    horizon = DurationField(required=False, default=86_400)


class AtSerializer(serializers.Serializer[Any]):
    """The moment that is asked about."""

    at = serializers.DateTimeField(required=False)
