"""`info`: labels of info metrics joined to a vector by `instance` and `job`.

At plan time: which info series to read. At run time, in: the vector and the info samples. Out: the vector
with data labels added. Refused, for the rule it happens in: info series that contradict one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, Matcher, MatchOp, format_labels
from alertsite.core.samples import Ints
from rules.language.frames import Run, Vector
from rules.language.rows import Rows
from rules.language.syntax import (
    Aggregate,
    AtModifier,
    Binary,
    Call,
    Duration,
    Expr,
    Negation,
    RangeSelector,
    Selector,
    Subquery,
)

_IDENTIFYING = ("instance", "job")
_TARGET_INFO = Matcher(METRIC_NAME, MatchOp.EQUAL, "target_info")
_ANY_INFO = Matcher(METRIC_NAME, MatchOp.REGEX, ".+_info")


def info_matchers(chosen: Selector | None) -> tuple[Matcher, ...]:
    """Matchers of the info series: `target_info` unless the labels name others."""
    matchers = () if chosen is None else chosen.matchers
    names = [matcher for matcher in matchers if matcher.name == METRIC_NAME]
    if any(matcher.op in {MatchOp.EQUAL, MatchOp.REGEX} for matcher in names):
        return matchers
    return (_ANY_INFO if names else _TARGET_INFO, *matchers)


def info_modifiers(expr: Expr) -> tuple[Duration, AtModifier | None]:
    """Offset and time of the first selector in an expression: info series are looked up at the same time."""
    for selector in _selectors(expr):
        return selector.offset, selector.at
    return 0, None


def _selectors(expr: Expr) -> Iterator[Selector]:
    match expr:
        case Selector():
            yield expr
        case RangeSelector(selector=Selector() as selector):
            yield selector
        case Subquery():
            for inner in _selectors(expr.expr):
                at = expr.at if inner.at is None else inner.at
                both_known = isinstance(inner.offset, int) and isinstance(expr.offset, int)
                offset = inner.offset + expr.offset if both_known else inner.offset  # type: ignore[operator]
                yield Selector(inner.matchers, offset, at)
        case Aggregate() | Negation():
            yield from _selectors(expr.expr)
        case Binary():
            yield from _selectors(expr.left)
            yield from _selectors(expr.right)
        case Call():
            for argument in expr.arguments:
                yield from _selectors(argument)


def info(base: Vector, infos: Vector, seen_ms: Ints, slot: int, run: Run) -> Vector:
    """The base vector with data labels of the info series that have its `instance` and `job`.

    Parameters
    ----------
    infos, seen_ms
        The info series, and the time of the sample seen at each step: shape (m, t). The newest counts.
    slot
        Which selector of the rules names info series and data labels.
    """
    steps = base.present.shape[1]
    made: dict[tuple[int, LabelSet], int] = {}
    cells: list[tuple[int, int, int]] = []
    for step in range(steps):
        newest = _newest(infos, seen_ms, step, run)
        for row in np.flatnonzero(base.present[:, step]).tolist():
            owner = int(base.rows.owners[row])
            matchers = run.selectors[slot][owner]
            labels = _joined(base.rows.label_sets[row], newest.get(owner, {}), matchers, owner, run)
            if labels is not None:
                cells.append((made.setdefault((owner, labels), len(made)), row, step))
    return _assembled(base, made, cells, run)


def _newest(infos: Vector, seen_ms: Ints, step: int, run: Run) -> dict[int, dict[tuple[str, ...], LabelSet]]:
    """By rule, the newest info series of each name, instance and job."""
    found: dict[int, dict[tuple[str, ...], LabelSet]] = {}
    times: dict[tuple[int, tuple[str, ...]], int] = {}
    for row in np.flatnonzero(infos.present[:, step]).tolist():
        owner, labels, seen = int(infos.rows.owners[row]), infos.rows.label_sets[row], int(seen_ms[row, step])
        values = dict(labels)
        key = (values.get(METRIC_NAME, ""), *(values.get(name, "") for name in _IDENTIFYING))
        before = times.get((owner, key), -1)
        if seen == before:
            existing = format_labels(found[owner][key])
            run.fail(
                owner,
                f"found duplicate series for info metric: existing {existing} @ {before}, "
                f"new {format_labels(labels)} @ {seen}",
            )
        elif seen > before:
            times[owner, key] = seen
            found.setdefault(owner, {})[key] = labels
    return found


def _joined(
    labels: LabelSet,
    newest: dict[tuple[str, ...], LabelSet],
    matchers: tuple[Matcher, ...],
    owner: int,
    run: Run,
) -> LabelSet | None:
    """The label set with data labels added; None if the data labels asked for are not there."""
    own = dict(labels)
    by_name = [matcher for matcher in matchers if matcher.name == METRIC_NAME]
    if all(matcher.matches(own.get(METRIC_NAME, "")) for matcher in by_name):
        return labels
    data = [matcher for matcher in matchers if matcher.name != METRIC_NAME]
    wanted = {matcher.name for matcher in data}
    identity = tuple(own.get(name, "") for name in _IDENTIFYING)
    met = [series for key, series in newest.items() if key[1:] == identity and any(identity)]
    if not met and not all(matcher.matches("") for matcher in data):
        return None
    added: dict[str, str] = {}
    for name, value in _data_labels(met, wanted):
        if added.get(name, value) != value:
            run.fail(owner, f"conflicting label: {name}")
        if name not in own:
            added[name] = value
    return tuple(sorted([*labels, *added.items()]))


def _data_labels(series: Iterable[LabelSet], wanted: set[str]) -> Iterator[tuple[str, str]]:
    for labels in series:
        for name, value in labels:
            if name != METRIC_NAME and (not wanted or name in wanted):
                yield name, value


def _assembled(
    base: Vector, made: dict[tuple[int, LabelSet], int], cells: list[tuple[int, int, int]], run: Run
) -> Vector:
    shape = (len(made), base.present.shape[1])
    values, present = np.zeros(shape), np.zeros(shape, np.bool_)
    drops = np.zeros(len(made), np.bool_)
    owners = np.array([owner for owner, _ in made], np.int64)
    label_sets = [labels for _, labels in made]
    for target, row, step in cells:
        if present[target, step]:
            run.fail(int(owners[target]), "vector cannot contain metrics with the same labelset")
        values[target, step] = base.values[row, step]
        present[target, step] = True
        drops[target] = base.rows.drops[row]
    rows = Rows(owners, lambda: label_sets, drops=drops, distinct=True)
    return Vector(rows, values, present)
