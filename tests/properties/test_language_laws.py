"""Laws of the language: text and tree, steps and range, shard and single rule."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp, label_set
from alertsite.core.samples import STALE_NAN
from rules.language.engine import QueryRange, evaluate_instant, evaluate_range
from rules.language.format import format_expr
from rules.language.functions.signatures import OF_TIME, OF_VECTOR, OF_WINDOW
from rules.language.fusion import ShardPlan
from rules.language.parser import parse
from rules.language.plan import plan
from rules.language.syntax import (
    Aggregate,
    Binary,
    Call,
    Matching,
    Negation,
    Number,
    RangeSelector,
    Selector,
    String,
    Subquery,
)
from rules.series.backends.memory import MemorySeries
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch

NAMES = st.sampled_from(["up", "http:rate", "a metric", "sum", "fill", "and", "Ünïcode", "nan", "on"])
LABELS = st.sampled_from(["job", "a label", "le", "by"])
DURATIONS = st.integers(1, 10**9)

words = st.text(st.sampled_from('aZ9é "\n\t'), max_size=4).map(lambda text: f"{text}\\\\")
matchers = st.builds(Matcher, LABELS, st.sampled_from(MatchOp), words)
selectors = st.builds(
    lambda name, others, offset, at: Selector(
        (Matcher(METRIC_NAME, MatchOp.EQUAL, name), *others), offset, at
    ),
    NAMES,
    st.lists(matchers, max_size=2),
    st.just(0) | st.integers(-(10**9), 10**9),
    st.none() | st.sampled_from(["start", "end"]) | st.integers(-(10**12), 10**12),
)
ranges = st.builds(RangeSelector, selectors, DURATIONS)
numbers = st.builds(Number, st.floats(allow_nan=False))


def matched(op: str, left: object, right: object, matching: Matching) -> Binary:
    bare = Matching(matching.on, matching.labels)
    return Binary(op, left, right, False, bare if op in {"and", "or"} else matching)


matchings = st.builds(
    lambda labels, on, many, fill: (
        Matching(on, labels, many, (), fill, None) if labels or on else Matching(fill_left=fill)
    ),
    st.lists(LABELS, max_size=2, unique=True).map(tuple),
    st.booleans(),
    st.sampled_from([None, "left", "right"]),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
)


def vectors_over(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(
        st.builds(Negation, inner),
        st.builds(lambda name, arg: Call(name, (arg,)), st.sampled_from(["abs", "absent", "sort"]), inner),
        st.builds(lambda window: Call("rate", (window,)), ranges | st.builds(Subquery, inner, DURATIONS)),
        st.builds(lambda n, arg: Call("clamp_min", (arg, n)), numbers, inner),
        st.builds(
            lambda text, arg: Call("sort_by_label", (arg, String(text))),
            st.text(max_size=5).filter(lambda text: text.isprintable()),
            inner,
        ),
        st.builds(
            Aggregate,
            st.sampled_from(["sum", "max"]),
            inner,
            st.lists(LABELS, max_size=2, unique=True).map(tuple),
            st.booleans(),
        ),
        st.builds(lambda k, arg: Aggregate("topk", arg, (), False, k), numbers, inner),
        st.builds(matched, st.sampled_from(["+", "^", "==", "and", "or", "atan2"]), inner, inner, matchings),
        st.builds(lambda op, n, v: Binary(op, v, n), st.sampled_from(["-", "^", "<", "%"]), numbers, inner),
        st.builds(Binary, st.sampled_from(["/", "^", ">="]), numbers, inner),
    )


trees = st.recursive(selectors, vectors_over, max_leaves=8)


@given(trees)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_text_and_tree_are_the_same(tree):
    assert parse(format_expr(tree)) == tree


# Series with gaps, stale markers, resets, NaN and infinities, at irregular times.
values = st.sampled_from([None, None, STALE_NAN, 0.0, 1.0, 2.5, -3.0, math.nan, math.inf, 1e100]) | st.floats(
    0, 100
)
series = st.lists(values, min_size=1, max_size=20)
stores = st.lists(series, min_size=1, max_size=6)

EXPRESSIONS = [
    "m > 2",
    "m == 1",
    "other > bool 1",
    "rate(m[90s])",
    "increase(m[2m])",
    "irate(m[2m])",
    "delta(m[70s] offset 30s)",
    "avg_over_time(m[1m])",
    "max_over_time(m[1m])",
    "quantile_over_time(0.3, m[2m])",
    "stddev_over_time(m[2m])",
    "changes(m[2m]) + resets(m[2m])",
    "deriv(m[2m]) > 0",
    "predict_linear(m[2m], 60)",
    "sum by (g) (m)",
    "avg without (i) (m)",
    "quantile(0.5, m)",
    "topk(1, m)",
    "count_values('v', m)",
    "m + on (i) other",
    "m * on (g) group_left sum by (g) (m)",
    "m or other",
    "m + on (i) fill (1) other",
    "nothing + on (i) fill_left (1) m",
    "m and on (g) other",
    "m unless other",
    "absent(m) or absent_over_time(other[1m])",
    "label_replace(m, 'x', '$1', 'i', '(.).*')",
    "scalar(sum(m)) + 1",
    "time() - timestamp(m)",
    "sum_over_time(sum by (g) (m)[2m:30s])",
    "max_over_time(rate(m[1m])[2m:])",
    "m @ 60",
    "m offset -30s",
    "-m",
    "clamp(m, 0, 2)",
    "rate(m[90s] anchored)",
    "increase(m[90s] smoothed)",
    "{__name__=~'m|other', i='0'}",
    "rate({__name__=~'m|other'}[2m])",
]


PLAIN = [*OF_VECTOR, *OF_TIME]
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
CHOOSING = ["topk", "bottomk", "quantile", "limitk", "limit_ratio"]
BINARY = ["+", "-", "*", "/", "%", "^", "atan2", "== bool", "> bool", "<= bool"]

selected = st.sampled_from(
    ["m", "other", "{__name__=~'m|other'}", "nothing", 'm{g="a"}', "m offset 20s", "m @ 90"]
)
names = st.sampled_from(["m", "other", "{g='b'}"])
windows = st.builds("{}[{}]".format, names, st.sampled_from(["30s", "95s", "5m"]))
grouping = st.sampled_from(["", " by (g)", " by (i)", " without (i)", " by (__name__)", " by ()"])
changed = st.sampled_from(["x", "i", "__name__"])
scalars = st.sampled_from(["0", "1", "2.5", "-1", "NaN", "Inf", "time()", "scalar(m)", "pi()"])
matching = st.sampled_from(
    ["", "on (i)", "on (g)", "ignoring (i)", "on (i, g)", "on ()", "on (i) group_left ()"]
)


def texts(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions around other ones; not all of them can be evaluated over every store."""
    ranges = windows | st.builds(
        "({}){}".format, inner, st.sampled_from(["[2m:25s]", "[90s:1m]", "[5s:20s]"])
    )
    return st.one_of(
        st.builds("{}({})".format, st.sampled_from(PLAIN), inner),
        st.builds("{}({})".format, st.sampled_from(OF_WINDOW), ranges),
        st.builds("quantile_over_time({}, {})".format, scalars, ranges),
        st.builds("predict_linear({1}, {0})".format, scalars, ranges),
        st.builds("double_exponential_smoothing({}, 0.3, 0.6)".format, ranges),
        st.builds("{}{} ({})".format, st.sampled_from(AGGREGATIONS), grouping, inner),
        st.builds("{}{} ({}, {})".format, st.sampled_from(CHOOSING), grouping, scalars, inner),
        st.builds("count_values{} ('v', {})".format, grouping, inner),
        st.builds("({}) {} {} ({})".format, inner, st.sampled_from(BINARY), matching, inner),
        st.builds("({}) {} on (i) fill (1) ({})".format, inner, st.sampled_from(BINARY), inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or", "unless"]), inner),
        st.builds("({}) or on (g) ({})".format, inner, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(BINARY), scalars),
        st.builds("{} {} ({})".format, scalars, st.sampled_from(BINARY), inner),
        st.builds("-({})".format, inner),
        st.builds("clamp({}, {}, {})".format, inner, scalars, scalars),
        st.builds("round({}, {})".format, inner, scalars),
        st.builds("label_replace({}, '{}', '$1', '__name__', '(.).*')".format, inner, changed),
        st.builds("label_join({}, '{}', '-', 'i', 'g')".format, inner, changed),
        st.builds("vector({})".format, scalars),
        st.builds("histogram_quantile({}, label_join({}, 'le', '', 'i'))".format, scalars, inner),
        st.builds("histogram_quantiles({}, 'q', 0.5, {})".format, inner, scalars),
        st.builds("histogram_fraction(0, 1, label_replace({}, 'le', '+Inf', '', ''))".format, inner),
        st.builds("info({}, {{__name__=~'other'}})".format, inner),
    )


expressions = st.recursive(selected, texts, max_leaves=5)
written = st.sampled_from(EXPRESSIONS) | expressions


def store_of(columns: list[list[np.float64 | float | None]]) -> MemorySeries:
    store = MemorySeries(SeriesLimits(lateness_ms=10**12, future_ms=10**12))
    for index, column in enumerate(columns):
        name = "m" if index % 2 == 0 else "other"
        labels = label_set({METRIC_NAME: name, "i": str(index // 2), "g": "ab"[index // 2 % 2]})
        samples = [(15_000 * at + 137 * index, value) for at, value in enumerate(column) if value is not None]
        batch = SampleBatch(
            [labels],
            np.zeros(len(samples), np.int64),
            np.array([at for at, _ in samples], np.int64),
            np.array([value for _, value in samples], np.float64),
        )
        store.append(batch, now_ms=0)
    return store


def elements(result) -> dict[object, float] | str:
    return {labels: float(value) for labels, value in zip(result.labels, result.values, strict=True)}


def same(one: dict[object, float], other: dict[object, float]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[key], other[key], equal_nan=True)
        or math.isclose(one[key], other[key], rel_tol=1e-9)
        for key in one
    )


def instant_or_error(expression: str, store: MemorySeries, at_ms: int) -> dict[object, float] | str:
    try:
        return elements(evaluate_instant(plan(expression), store, at_ms))
    except PlatformError as error:
        return str(error)


@given(stores, written, st.integers(0, 200_000), st.integers(7_000, 60_000))
@settings(max_examples=150, deadline=None)
def test_a_range_is_its_instants(columns, expression, start_ms, step_ms):
    store = store_of(columns)
    query = QueryRange(start_ms, start_ms + 4 * step_ms, step_ms)
    instants = [instant_or_error(expression, store, at) for at in query.times().tolist()]
    try:
        result = evaluate_range(plan(expression), store, query)
    except PlatformError:
        assert any(isinstance(instant, str) for instant in instants)
        return
    for step, instant in enumerate(instants):
        found = {
            labels: float(row[step])
            for labels, row, present in zip(result.labels, result.values, result.present, strict=True)
            if present[step]
        }
        assert isinstance(instant, dict)
        assert same(found, instant)


@given(stores, st.lists(written, min_size=1, max_size=8), st.integers(0, 400_000))
@settings(max_examples=100, deadline=None)
def test_sharded_equals_unsharded(columns, expressions, at_ms):
    store = store_of(columns)
    shard = ShardPlan([plan(expression) for expression in expressions])
    for _ in range(2):  # the second tick works from what the first one remembered
        result = shard.evaluate(store, at_ms)
        for rule, expression in enumerate(expressions):
            alone = instant_or_error(expression, store, at_ms)
            if isinstance(alone, str):
                assert str(result.errors[rule]) == alone
                continue
            found = {
                result.labels_of(element): float(result.values[element])
                for element in np.flatnonzero(result.rule == rule).tolist()
            }
            assert same(found, alone)
