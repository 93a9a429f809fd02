"""What the platform tells of its models at `/metrics`, read from PostgreSQL at each scrape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Count, Min
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alertsite.core.clock import Clock, to_datetime
from alertsite.tenancy.scope import platform_scope
from ml.models import ModelGroup, ModelVersion


class ModelCollector(Collector):
    """Accuracy of champions, lateness of inference, groups by state."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """The metrics of this moment."""
        with platform_scope():
            yield self._accuracy()
            yield from self._groups()

    def _accuracy(self) -> Metric:
        family = GaugeMetricFamily(
            "ml_model_accuracy",
            "Mean over champions: of detectors the share of held-back ordinary samples left alone, "
            "of forecasters 1 / (1 + MASE).",
            labels=["model_type", "tenant_id"],
        )
        champions = ModelVersion.across_tenants.filter(
            status=ModelVersion.Status.CHAMPION, group__enabled=True
        )
        told: defaultdict[tuple[str, UUID], list[float]] = defaultdict(list)
        for name, tenant_id, quality in champions.values_list("detector", "tenant_id", "quality").iterator():
            accuracy = accuracy_of(quality)
            if accuracy is not None:
                told[name, tenant_id].append(accuracy)
        for (name, tenant_id), values in told.items():
            family.add_metric([name, str(tenant_id)], sum(values) / len(values))
        return family

    def _groups(self) -> Iterable[Metric]:
        now = to_datetime(self._clock.now_ms())
        enabled = ModelGroup.across_tenants.filter(enabled=True)
        states = GaugeMetricFamily("ml_model_groups", "Enabled model groups by state.", labels=["state"])
        for state, count in enabled.order_by().values_list("state").annotate(count=Count("pk")):
            states.add_metric([state], count)
        yield states
        oldest = enabled.aggregate(oldest=Min("next_due_at"))["oldest"]
        late_s = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
        yield GaugeMetricFamily("ml_inference_lateness_seconds", "Age of the oldest due tick.", value=late_s)
        failing = enabled.exclude(training_error="").count()
        yield GaugeMetricFamily("ml_trainings_failing", "Groups whose last training failed.", value=failing)


def accuracy_of(quality: Mapping[str, Any]) -> float | None:
    """From 0 to 1; None where a version was not measured."""
    if quality.get("held_back_samples"):
        return 1.0 - float(quality["flagged_ratio"])
    if "mase" in quality:
        return 1.0 / (1.0 + float(quality["mase"]))
    return None
