"""Every beat entry in one table: task, seconds between sendings. Beat only wakes; due times are in
PostgreSQL.
"""

from __future__ import annotations

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "wake shards": {"task": "rules.tasks.evaluating.wake_shards", "schedule": 1.0},
    "wake deliveries": {"task": "rules.tasks.delivering.wake_deliveries", "schedule": 1.0},
    "wake groups": {"task": "rules.tasks.notifying.wake_groups", "schedule": 1.0},
    "wake timers": {"task": "rules.tasks.notifying.wake_timers", "schedule": 1.0},
    "watch alerts": {"task": "rules.tasks.notifying.watch", "schedule": 10.0},
    "collect host metrics": {"task": "rules.tasks.collecting.collect_host", "schedule": 15.0},
    "wake reports": {"task": "rules.tasks.reporting.wake_reports", "schedule": 15.0},
    "wake models": {"task": "ml.tasks.models.wake_models", "schedule": 5.0},
    "wake cloud accounts": {"task": "cloud.tasks.inventory.wake_accounts", "schedule": 30.0},
    "pull cloud metrics": {"task": "rules.tasks.collecting.wake_cloud_metrics", "schedule": 30.0},
    "wake healing": {"task": "healing.tasks.healing.wake_healing", "schedule": 1.0},
    "wake automations": {"task": "healing.tasks.automation.wake_automations", "schedule": 10.0},
    "expire healing runs": {"task": "healing.tasks.healing.expire_runs", "schedule": 3600.0},
    "archive blocks": {"task": "rules.tasks.upkeep.archive_blocks", "schedule": 600.0},
    "expire history": {"task": "rules.tasks.upkeep.expire_history", "schedule": 3600.0},
}
