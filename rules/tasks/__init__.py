"""Celery tasks: each parses primitives, calls one service, returns a small summary."""

from rules.tasks.collecting import collect_host, pull_cloud_metrics, wake_cloud_metrics
from rules.tasks.delivering import wake_deliveries
from rules.tasks.evaluating import evaluate_shards, wake_if_silent, wake_shards
from rules.tasks.notifying import wake_groups, wake_timers, watch
from rules.tasks.reporting import make_report, request_report, wake_reports
from rules.tasks.upkeep import archive_blocks, expire_history

__all__ = [
    "archive_blocks",
    "collect_host",
    "evaluate_shards",
    "expire_history",
    "make_report",
    "pull_cloud_metrics",
    "request_report",
    "wake_cloud_metrics",
    "wake_deliveries",
    "wake_groups",
    "wake_if_silent",
    "wake_reports",
    "wake_shards",
    "wake_timers",
    "watch",
]
