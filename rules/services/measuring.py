"""The platform's own metrics, read from where the truth lies: PostgreSQL and Redis. Counts only, no
tenant's names.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import Count, Max, Min, Sum
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from alertsite.core.clock import Clock, to_datetime
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertInstance, LedgerEntry, OutboxMessage, Rule, SeriesBlock, Shard, Wake
from rules.services.stores import redis_client

RECENT = timedelta(minutes=5)


class PlatformCollector(Collector):
    """Reads everything anew at each scrape."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """The metrics of this moment."""
        with platform_scope():
            yield from self._rules()
            yield from self._ledger()
            yield from self._alerts_and_messages()
        yield from self._queues()

    def _rules(self) -> Iterable[Metric]:
        now = to_datetime(self._clock.now_ms())
        yield _gauge("alertsite_tenants", "Tenants.", Tenant.objects.count())
        yield _counted("alertsite_rules", "Rules by state.", "state", Rule)
        yield _counted("alertsite_rules_health", "Rules by health.", "health", Rule)
        shards = Shard.across_tenants.filter(rule_count__gt=0)
        facts = shards.aggregate(count=Count("pk"), rules=Sum("rule_count"), oldest=Min("next_due_at"))
        yield _gauge("alertsite_shards", "Shards with rules.", facts["count"])
        yield _gauge("alertsite_rules_evaluated", "Rules that are evaluated.", facts["rules"] or 0)
        due = shards.filter(next_due_at__lte=now).count()
        yield _gauge("alertsite_shards_due", "Shards whose next tick has come.", due)
        late_s = (now - facts["oldest"]).total_seconds() if facts["oldest"] else 0.0
        yield _gauge("alertsite_shard_lateness_max_seconds", "Age of the oldest due tick.", max(0.0, late_s))
        woke = GaugeMetricFamily("alertsite_wake_age_seconds", "Since the last wake.", labels=["kind"])
        for wake in Wake.objects.all():
            woke.add_metric([wake.kind], (now - wake.last_at).total_seconds())
        yield woke

    def _ledger(self) -> Iterable[Metric]:
        """Ticks of the last five minutes: each has a row, so the sum is what was due."""
        since = to_datetime(self._clock.now_ms()) - RECENT
        recent = LedgerEntry.across_tenants.filter(due_at__gte=since)
        facts = recent.aggregate(total=Count("pk"), transitions=Sum("transition_count"))
        ticks = GaugeMetricFamily(
            "alertsite_ticks_recent", "Ticks due in the last 5 minutes.", labels=["outcome"]
        )
        late, skipped = recent.filter(caught_up=True).count(), recent.exclude(skipped_reason="").count()
        ticks.add_metric(["on_time"], facts["total"] - late - skipped)
        ticks.add_metric(["caught_up"], late)
        ticks.add_metric(["skipped"], skipped)
        yield ticks
        yield _gauge("alertsite_transitions_recent", "Changes of state in them.", facts["transitions"] or 0)

    def _alerts_and_messages(self) -> Iterable[Metric]:
        now = to_datetime(self._clock.now_ms())
        yield _counted("alertsite_alerts_active", "Active alerts by state.", "state", AlertInstance)
        yield _counted("alertsite_outbox_messages", "Notifications by status.", "status", OutboxMessage)
        due = OutboxMessage.across_tenants.filter(status=OutboxMessage.Status.DUE)
        oldest = due.aggregate(oldest=Min("created_at"))["oldest"]
        age_s = (now - oldest).total_seconds() if oldest else 0.0
        yield _gauge("alertsite_outbox_oldest_seconds", "Age of the oldest notification that is owed.", age_s)
        blocks = SeriesBlock.across_tenants.aggregate(
            samples=Sum("sample_count"), newest=Max("window_end_at")
        )
        yield _gauge("alertsite_archived_samples", "Samples in the archive.", blocks["samples"] or 0)

    def _queues(self) -> Iterable[Metric]:
        lengths = GaugeMetricFamily(
            "alertsite_queue_length", "Messages that wait in the broker.", labels=["queue"]
        )
        pipeline = redis_client().pipeline(transaction=False)
        for queue in settings.QUEUES:
            pipeline.llen(queue)
        for queue, length in zip(settings.QUEUES, pipeline.execute(), strict=True):
            lengths.add_metric([queue], length)
        yield lengths


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _counted(name: str, help_text: str, field: str, model: type) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[field])
    rows = model.across_tenants.order_by().values_list(field).annotate(count=Count("pk"))  # type: ignore[attr-defined]
    for value, count in rows:
        family.add_metric([value], count)
    return family


def faults() -> list[str]:
    """What keeps this process from serving: servers that do not answer. Empty when ready."""
    found = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError as error:
        found.append(f"PostgreSQL: {error}".strip())
    try:
        redis_client().ping()
    except RedisError as error:
        found.append(f"Redis: {error}")
    return found
