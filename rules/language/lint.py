"""Advice on a rule before it is saved. In: what the rule says, the tenant's series. Out: warnings.

Nothing is refused here: a rule that lint warns of may be what its author wants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np

from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp
from rules.language.format import format_expr
from rules.language.plan import Plan, SelectorWindow, plan
from rules.language.syntax import Selector
from rules.series.protocols import SeriesReader

EXPENSIVE_SHARE: Final = 0.1
"""Share of what a query may read from which on a tick counts as expensive."""
USUAL_INTERVAL_MS: Final = 15_000
"""Between samples, where nothing else is known."""
_SUGGESTED: Final = 3
_CHANGING: Final = re.compile(r"{{[^}]*(?:\$value|\.Value|\bnow\b|\bquery\b)[^}]*}}")
_WRITTEN_BY_RULES: Final = frozenset({"ALERTS", "ALERTS_FOR_STATE"})


@dataclass(frozen=True, slots=True)
class Linted:
    """What lint looks at. Durations in milliseconds."""

    alerting: bool
    expr: str
    hold_for_ms: int
    labels: Mapping[str, str]
    written: frozenset[str] = frozenset()
    """Metrics that the tenant's recording rules write, perhaps not yet."""
    remote: bool = False
    """The query is answered elsewhere: which series there are, and what it costs, is not known."""


@dataclass(frozen=True, slots=True)
class Warned:
    """One piece of advice. `code` is stable."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one evaluation reads, estimated from the series there are now."""

    series: int
    samples: int
    share: float
    """Of what the tenant may read in one query."""


def lint(rule: Linted, reader: SeriesReader, *, budget_samples: int) -> list[Warned]:
    """Everything worth saying about a rule.

    Raises
    ------
    ParseError
        If the expression is none.
    """
    prepared = plan(rule.expr)
    if rule.remote:
        return [*_changing_labels(rule), *_hasty(rule, prepared)]
    return [
        *_without_series(prepared, rule, reader),
        *_changing_labels(rule),
        *_hasty(rule, prepared),
        *_expensive(cost_of(prepared, reader, budget_samples=budget_samples)),
    ]


def cost_of(prepared: Plan, reader: SeriesReader, *, budget_samples: int) -> Cost:
    """What an evaluation reads: for each selector its series, times the samples in its window."""
    series = samples = 0
    for window in prepared.windows:
        count = len(reader.select(window.matchers))
        series += count
        samples += count * _samples_in(window)
    return Cost(series, samples, samples / budget_samples if budget_samples else 0.0)


def _samples_in(window: SelectorWindow) -> int:
    """Of one series, at the usual interval; an instant selector reads one."""
    return max(1, (window.reach_ms - window.offset_ms) // USUAL_INTERVAL_MS)


def _without_series(prepared: Plan, rule: Linted, reader: SeriesReader) -> Iterator[Warned]:
    known: Sequence[str] | None = None
    for matchers in dict.fromkeys(prepared.selectors):
        name = _name(matchers)
        if name in rule.written | _WRITTEN_BY_RULES or len(reader.select(matchers)):
            continue
        text = f"{format_expr(Selector(matchers))} matches no series"
        if name and len(reader.select([Matcher(METRIC_NAME, MatchOp.EQUAL, name)])):
            yield Warned("selector.no_series", f"{text}; there are others of that name")
            continue
        known = _metric_names(reader) if known is None else known
        near = get_close_matches(name, [*known, *rule.written], n=_SUGGESTED) if name else []
        yield Warned("selector.no_series", f"{text}; near names: {', '.join(near)}" if near else text)


def _name(matchers: Sequence[Matcher]) -> str:
    names = (m.value for m in matchers if m.name == METRIC_NAME and m.op is MatchOp.EQUAL)
    return next(names, "")


def _metric_names(reader: SeriesReader) -> list[str]:
    numbers = reader.select(())
    return sorted({dict(labels).get(METRIC_NAME, "") for labels in reader.labels(np.asarray(numbers))})


def _changing_labels(rule: Linted) -> Iterator[Warned]:
    for name, text in rule.labels.items():
        if _CHANGING.search(text):
            yield Warned(
                "label.changes",
                f"label {name!r} is {text!r}, which changes from evaluation to evaluation: each time "
                "it would be another alert. Put it into an annotation",
            )


def _hasty(rule: Linted, prepared: Plan) -> Iterator[Warned]:
    """An alert on an instant value without `for` fires on one bad sample; one over a window does not."""
    instant = all(window.reach_ms == window.offset_ms for window in prepared.windows)
    if rule.alerting and rule.hold_for_ms == 0 and instant:
        yield Warned("for.missing", "without 'for' one bad sample fires the alert; 'for: 1m' would wait")


def _expensive(cost: Cost) -> Iterator[Warned]:
    if cost.share >= EXPENSIVE_SHARE:
        yield Warned(
            "expr.expensive",
            f"an evaluation reads about {cost.samples:,} samples of {cost.series:,} series, "
            f"{cost.share:.0%} of what a query of the tenant may",
        )
