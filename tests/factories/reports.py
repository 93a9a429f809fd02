"""Facts of reports, small and true to their types."""

from __future__ import annotations

from typing import Any

from rules.reports.facts import (
    Change,
    Cost,
    Counted,
    Heading,
    LevelsFacts,
    LongAlert,
    Operations,
    OperationsFacts,
    QualityFacts,
    ReceiverFacts,
    RuleQuality,
    Spread,
    StaleSilence,
    TickFacts,
)
from rules.reports.levels import Objective, level_of_intervals, unmeasured

DAY_MS = 86_400_000
MARCH_MS = 1_772_323_200_000  # 2026-03-01T00:00Z


def make_heading(**values: Any) -> Heading:
    values = {
        "tenant": "Acme",
        "name": "Weekly digest",
        "kind": "operations_weekly",
        "language": "en",
        "timezone": "Europe/Paris",
        "start": "2026-02-22T23:00:00+00:00",
        "end": "2026-03-01T23:00:00+00:00",
    } | values
    return Heading(**values)


def make_operations(**values: Any) -> Operations:
    values = {
        "fired": 1234,
        "resolved": 1201,
        "acknowledged": 617,
        "to_acknowledge": Spread(617, 245.0, 3700.0),
        "to_repair": Spread(1201, 1830.0, 9000.0),
        "undelivered": 0,
        "silences": 3,
        "ticks": TickFacts(40_319, 1, 0),
        "by_severity": [Counted("critical", 34), Counted("high", 1200)],
        "by_rule": [Counted("DiskFull", 901), Counted("HostDown", 333)],
        "by_service": [Counted("api", 1000), Counted("", 234)],
        "over_time": [Counted(f"2026-02-{day}T23:00:00+00:00", day * 10) for day in range(22, 29)],
        "longest": [
            LongAlert("DiskFull", 'DiskFull{host="a"}', "2026-02-24T08:00:00+00:00", 90_061.0, False)
        ],
        "receivers": [ReceiverFacts("ops", 400, 398, 1, 0, 1, 0.21, 12.5)],
        "suppressed": [Counted("silenced", 12)],
    } | values
    return Operations(**values)


def make_operations_facts(**values: Any) -> OperationsFacts:
    return OperationsFacts(make_operations(**values), make_operations(fired=1000, ticks=None))


def make_levels_facts() -> LevelsFacts:
    promise = Objective("API is up", "time", 0.999, MARCH_MS - 30 * DAY_MS, MARCH_MS)
    bad = [(MARCH_MS - 3 * DAY_MS, MARCH_MS - 3 * DAY_MS + 1_296_000)]  # half of the budget of 2592 s
    return LevelsFacts([level_of_intervals(promise, bad), unmeasured(promise, "the rule was deleted")])


def make_rule_quality(**values: Any) -> RuleQuality:
    values = {
        "rule": "DiskFull",
        "fired": 901,
        "told": 880,
        "acknowledged": 9,
        "by_itself": 700,
        "useful": 3,
        "noise": 9,
        "changes_per_alert": 12.5,
        "to_acknowledge_s": 240.0,
        "to_repair_s": 75.0,
        "rule_id": "r-1",
    } | values
    return RuleQuality(**values)


def make_change(**values: Any) -> Change:
    values = {
        "rule": "DiskFull",
        "rule_id": "r-1",
        "kind": "longer_for",
        "value": "5m",
        "hours": 25.0,
        "before": 412,
        "after": 37,
        "lost": 0,
        "acted_on": 4,
        "delay_s": 300.0,
    } | values
    return Change(**values)


def make_quality_facts(**values: Any) -> QualityFacts:
    values = {
        "rules": [make_rule_quality()],
        "rule_count": 57,
        "undelivered": 0,
        "missed_by_people": 2,
        "ticks": TickFacts(40_319, 1, 0),
        "never_fired": ["QuietOne"],
        "never_fired_count": 1,
        "never_matching": [Counted("Misspelt", 1)],
        "stale_silences": [
            StaleSilence('host="gone"', "alice", "2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
        ],
        "costs": [Cost("DiskFull", 1000, 20_000)],
        "changes": [make_change(), make_change(rule="HostDown", rule_id="r-2", kind="remove", value="")],
        "tried": 18,
    } | values
    return QualityFacts(**values)
