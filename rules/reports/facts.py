"""What reports are made of: plain numbers and names, gathered elsewhere. JSON values and nothing else.

Seconds are floats; None where nothing was measured. Moments are RFC 3339. Lists are bounded by who gathers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heading:
    """What a report is, of whom, and about when."""

    tenant: str
    name: str
    kind: str
    language: str
    timezone: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of one name."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, of `count` cases. Seconds."""

    count: int = 0
    p50_s: float | None = None
    p90_s: float | None = None


@dataclass(frozen=True, slots=True)
class LongAlert:
    """An alert that fired for long. `over` is false while it does at the end of the period."""

    name: str
    labels: str
    fired_at: str
    seconds: float
    over: bool


@dataclass(frozen=True, slots=True)
class ReceiverFacts:
    """What became of the messages that were owed to one receiver. Latency: from decision to receipt."""

    name: str
    messages: int
    delivered: int
    dead: int
    cancelled: int
    due: int
    p50_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class TickFacts:
    """Evaluations that were due: done in time, done late, never done."""

    on_time: int
    late: int
    missed: int


@dataclass(frozen=True, slots=True)
class Repair:
    """One run of a playbook that acted: what it did, who let it, how it ended."""

    playbook: str
    did: str
    """In words; empty if nothing was done."""
    state: str
    """`succeeded`, or where else it is."""
    approved_by: Sequence[str]
    at: str
    seconds: float | None
    """From its cause to the end; None while it is under way, or where it repaired nothing."""


@dataclass(frozen=True, slots=True)
class Operations:
    """What happened in one period."""

    fired: int
    resolved: int
    acknowledged: int
    to_acknowledge: Spread
    to_repair: Spread
    undelivered: int
    silences: int
    ticks: TickFacts | None
    """None where the ledger does not reach back so far."""
    by_severity: Sequence[Counted] = ()
    by_rule: Sequence[Counted] = ()
    by_service: Sequence[Counted] = ()
    over_time: Sequence[Counted] = ()
    """Alerts that fired, hour by hour or day by day, each by its beginning."""
    longest: Sequence[LongAlert] = ()
    receivers: Sequence[ReceiverFacts] = ()
    suppressed: Sequence[Counted] = ()
    """Alerts that a flush kept back, by reason."""
    repairs: Sequence[Repair] = ()
    repaired: int = 0
    """Runs that succeeded, of `repairs_begun`; the newest are listed."""
    repairs_begun: int = 0

    @property
    def dead(self) -> int:
        """Messages that were given up."""
        return sum(one.dead for one in self.receivers)


@dataclass(frozen=True, slots=True)
class OperationsFacts:
    """A period, and the one before it."""

    now: Operations
    before: Operations


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """How one objective was met over its window.

    `bad` is the share of the window, or of its events, that was not good; `unmeasured` why nothing is known.
    """

    name: str
    source: str
    """The rule, or the expression, in words."""
    objective: float
    window_s: float
    bad: float | None = None
    burns: Sequence[tuple[float, float]] = ()
    """Of the last so many seconds: how many times as fast as allowed the budget was spent."""
    remaining: Sequence[tuple[str, float]] = ()
    """Share of the budget that was left at each moment; below zero once it was spent."""
    unmeasured: str = ""

    @property
    def budget(self) -> float:
        """Share that may be bad."""
        return 1 - self.objective

    @property
    def spent(self) -> float | None:
        """Share of the budget that is gone; more than one when the objective was missed."""
        return None if self.bad is None else self.bad / self.budget


@dataclass(frozen=True, slots=True)
class LevelsFacts:
    """All objectives of a report."""

    levels: Sequence[ServiceLevel]


@dataclass(frozen=True, slots=True)
class RuleQuality:
    """How much one rule's alerts were worth."""

    rule: str
    fired: int
    told: int
    acknowledged: int
    by_itself: int
    """Ended within five minutes and nobody had done anything."""
    useful: int
    noise: int
    changes_per_alert: float
    """How often one alert fired in the period, on average."""
    to_acknowledge_s: float | None
    to_repair_s: float | None
    rule_id: str = ""

    @property
    def precision(self) -> float | None:
        """Share that people called useful, of those they judged."""
        judged = self.useful + self.noise
        return self.useful / judged if judged else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What an evaluation of a rule reads, as lint estimates it."""

    rule: str
    series: int
    samples: int


@dataclass(frozen=True, slots=True)
class StaleSilence:
    """A silence that is old, still works, and kept nothing back in the period."""

    matchers: str
    author: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a rule, and what it would have done over `hours` of history.

    `lost` are alerts that somebody acted on and that would not have come; `delay_s` is how much later the
    others would have, on average.
    """

    rule: str
    kind: str
    value: str
    hours: float
    before: int
    after: int
    lost: int
    acted_on: int
    delay_s: float
    rule_id: str = ""

    @property
    def saved(self) -> int:
        """Notifications that would not have been sent."""
        return self.before - self.after


@dataclass(frozen=True, slots=True)
class QualityFacts:
    """How good the alerts of a period were."""

    rules: Sequence[RuleQuality]
    rule_count: int
    """Alerting rules that are active."""
    undelivered: int
    missed_by_people: int
    """Times at which people said that an alert should have come."""
    ticks: TickFacts | None
    never_fired: Sequence[str] = ()
    never_fired_count: int = 0
    never_matching: Sequence[Counted] = ()
    """Rules with a selector that finds no series, and how many of them."""
    stale_silences: Sequence[StaleSilence] = ()
    costs: Sequence[Cost] = ()
    changes: Sequence[Change] = ()
    tried: int = 0
    """Changes that were back-tested."""
    faults: Sequence[str] = field(default_factory=tuple)
    """What could not be found out, in words."""


Facts = OperationsFacts | LevelsFacts | QualityFacts
