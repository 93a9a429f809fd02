"""Outcomes of runs as series, so that any rule may watch the healing itself.

`auto_healing_actions_total{playbook,action,outcome}` counts steps, those of runs that are forgotten as well;
`auto_healing_success_ratio{playbook}` is of the last hundred runs that acted and are kept;
`auto_healing_time_to_repair_seconds{playbook}` is of the last that succeeded.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import redis
import structlog
from django.db.models import Count

from alertsite.core.clock import Clock
from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, LabelSet, label_set
from healing.execution.states import BAD_ENDS, RunState
from healing.models import HealingRun, HealingStep, HealingTally
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store

log = structlog.get_logger(__name__)

ACTIONS: Final = "auto_healing_actions_total"
RATIO: Final = "auto_healing_success_ratio"
REPAIR: Final = "auto_healing_time_to_repair_seconds"
LAST_RUNS: Final = 100


def publish(run: HealingRun, clock: Clock) -> int:
    """Write the series of the run's playbook as they are now. Samples that were taken; lost ones come with
    the next run, since everything is counted anew.
    """
    now_ms = clock.now_ms()
    found = _actions(run) + _ratio(run) + _repair(run)
    if not found:
        return 0
    label_sets = [labels for labels, _ in found]
    values = np.array([value for _, value in found], np.float64)
    batch = SampleBatch(label_sets, np.arange(len(found)), np.full(len(found), now_ms, np.int64), values)
    try:
        return hot_store(run.tenant_id).append(batch, now_ms=now_ms).accepted
    except (PlatformError, redis.RedisError) as error:
        log.warning("healing.outcome_not_written", run=str(run.pk), error=str(error))
        return 0


def _series(name: str, run: HealingRun, **labels: str) -> LabelSet:
    return label_set({METRIC_NAME: name, "playbook": run.playbook_name, **labels})


def _actions(run: HealingRun) -> list[tuple[LabelSet, float]]:
    steps = HealingStep.objects.for_tenant(run.tenant_id).filter(
        run__playbook_name=run.playbook_name, run__dry=False, call_key__gt="", finished_at__isnull=False
    )
    counted = steps.order_by().values_list("word", "state").annotate(total=Count("id"))
    tallies = HealingTally.objects.for_tenant(run.tenant_id).filter(playbook_name=run.playbook_name)
    totals: Counter[tuple[str, str]] = Counter()
    for word, outcome, total in (*counted, *tallies.values_list("word", "outcome", "total")):
        totals[word, outcome] += total
    return [
        (_series(ACTIONS, run, action=word, outcome=outcome), float(total))
        for (word, outcome), total in sorted(totals.items())
    ]


def _ratio(run: HealingRun) -> list[tuple[LabelSet, float]]:
    ends = [RunState.SUCCEEDED, *BAD_ENDS]
    runs = HealingRun.objects.for_tenant(run.tenant_id).filter(
        playbook_name=run.playbook_name, dry=False, state__in=ends
    )
    last = list(runs.order_by("-created_at").values_list("state", flat=True)[:LAST_RUNS])
    if not last:
        return []
    return [(_series(RATIO, run), last.count(RunState.SUCCEEDED) / len(last))]


def _repair(run: HealingRun) -> list[tuple[LabelSet, float]]:
    if run.state != RunState.SUCCEEDED or run.finished_at is None or run.first_action_at is None:
        return []
    return [(_series(REPAIR, run), (run.finished_at - run.caused_at).total_seconds())]
