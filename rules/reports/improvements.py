"""Which changes of rules are worth making: what to try, how a trial went, which are best.

In: rules that were loud, and what a back-test of each candidate says. Out: changes with their figures. A
change that would have lost an alert somebody acted on ranks after all that lose none, whatever it saves.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Final

from alertsite.core.durations import format_duration_ms
from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet
from rules.language.format import format_expr
from rules.language.parser import parse
from rules.language.syntax import Binary, Number
from rules.reports.facts import Change

HOLDS_S: Final = (60, 300, 900, 3600)
"""Durations of `for` that are tried: the next two above the rule's own."""
MARGIN: Final = 0.1
"""Of the threshold: how far back a firing alert must go, as a candidate for hysteresis."""
FEW_FIRED: Final = 5
"""Alerts from which on a rule that nobody needs is seen as such."""
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class ChangeKind(enum.StrEnum):
    """What is changed, the gentlest first."""

    HYSTERESIS = "hysteresis"
    LONGER_FOR = "longer_for"
    THRESHOLD = "threshold"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class LoudRule:
    """A rule, how often it fired, and what people made of that."""

    rule_id: str
    name: str
    expr: str
    recovery_expr: str
    hold_for_s: int
    fired: int
    acted_on: int
    """Alerts that somebody acknowledged, handled or called useful."""
    values: Sequence[float] = ()
    """At which its alerts fired."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule changed. What is None stays as it is; `remove` changes nothing else."""

    kind: ChangeKind
    value: str
    expr: str | None = None
    recovery_expr: str | None = None
    hold_for_s: int | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """One stretch of firing, of one alert."""

    labels: LabelSet
    start_ms: int
    end_ms: int

    def meets(self, other: Fired) -> bool:
        """Whether both are of one alert and share a moment."""
        return self.labels == other.labels and self.start_ms <= other.end_ms and other.start_ms <= self.end_ms


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate back-tested: notifications and firing, as the rule is and as it would be."""

    rule: LoudRule
    candidate: Candidate
    hours: float
    notifications: tuple[int, int]
    before: Sequence[Fired]
    after: Sequence[Fired]


def candidates(rule: LoudRule) -> list[Candidate]:
    """What is worth trying with a rule."""
    found = [*_longer(rule), *_thresholds(rule)]
    if rule.fired >= FEW_FIRED and not rule.acted_on:
        found.append(Candidate(ChangeKind.REMOVE, ""))
    return found


def _longer(rule: LoudRule) -> Iterator[Candidate]:
    for hold_for_s in [one for one in HOLDS_S if one > rule.hold_for_s][:2]:
        yield Candidate(ChangeKind.LONGER_FOR, format_duration_ms(hold_for_s * 1000), hold_for_s=hold_for_s)


def _thresholds(rule: LoudRule) -> Iterator[Candidate]:
    """A stricter threshold, and an easier one for what fires already; only of `expression op number`."""
    try:
        expr = parse(rule.expr)
    except PlatformError:
        return
    if not isinstance(expr, Binary) or expr.op not in _MIRRORED or not isinstance(expr.right, Number):
        return
    old, sign = expr.right.value, 1 if expr.op.startswith(">") else -1
    stricter = _rounded(median(rule.values)) if rule.values else old
    if (stricter - old) * sign > 0:
        yield Candidate(ChangeKind.THRESHOLD, f"{expr.op} {stricter:g}", expr=_compared(expr, stricter))
    if not rule.recovery_expr and old:
        easier = _rounded(old - sign * MARGIN * abs(old))
        yield Candidate(ChangeKind.HYSTERESIS, f"{expr.op} {easier:g}", recovery_expr=_compared(expr, easier))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _compared(expr: Binary, threshold: float) -> str:
    return format_expr(replace(expr, right=Number(threshold)))


def judged(trial: Trial, acted_on: Sequence[Fired]) -> Change:
    """What the change would have saved, and what it would have cost.

    Parameters
    ----------
    acted_on
        Alerts within the history tried that somebody acted on.
    """
    delays = [
        max(0, after.start_ms - before.start_ms) / 1000
        for after in trial.after
        for before in trial.before
        if before.meets(after)
    ]
    lost = sum(not any(one.meets(after) for after in trial.after) for one in acted_on)
    return Change(
        rule=trial.rule.name,
        rule_id=trial.rule.rule_id,
        kind=trial.candidate.kind,
        value=trial.candidate.value,
        hours=trial.hours,
        before=trial.notifications[0],
        after=trial.notifications[1],
        lost=lost,
        acted_on=len(acted_on),
        delay_s=fmean(delays) if delays else 0.0,
    )


def most_worth(changes: Sequence[Change], limit: int = 3) -> list[Change]:
    """The best changes, one a rule: those that lose nothing first, then by what they save; of equal ones the
    gentler.
    """
    gentle = {kind: position for position, kind in enumerate(ChangeKind)}
    ranked = sorted(
        (one for one in changes if one.saved > 0),
        key=lambda one: (one.lost > 0, -one.saved + one.lost, one.delay_s, gentle[ChangeKind(one.kind)]),
    )
    best: dict[str, Change] = {}
    for one in ranked:
        best.setdefault(one.rule_id or one.rule, one)
    return list(best.values())[:limit]
