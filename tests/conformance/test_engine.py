"""Every case of the packs through the engine itself."""

from __future__ import annotations

import pytest

from alertsite.core.errors import PlatformError
from rules.language.engine import evaluate_instant, evaluate_range
from rules.language.frames import QueryRange
from rules.language.plan import plan
from rules.series.backends.memory import MemorySeries
from tests.conformance.cases import PACKS, Case, differences, expand, expected_series, read_pack, store_of

# What the store does not keep: native histograms and the times at which counters began.
REFUSED = frozenset({"native_histograms", "start_timestamps"})

STORES: dict[tuple[str, int], MemorySeries] = {}
CASES = [case for name in PACKS for case in read_pack(name) if not case.needs & REFUSED]


@pytest.mark.skipif(not CASES, reason="the case packs are not beside the repository (ALERTSITE_SHARED)")
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_case(case: Case) -> None:
    assert list(problems(case)) == []


def problems(case: Case) -> list[str]:
    content = case.content
    wanted_type = content["expect"]["type"]
    try:
        kind, text, found = outcome(case)
    except PlatformError as error:
        return [] if wanted_type == "fail" else [f"refused: {error}"]
    if wanted_type == "fail":
        return [f"should be refused, gave {found}"]
    if wanted_type == "string":
        return [] if text == content["expect"]["value"] else [f"gave {text!r}"]
    if wanted_type == "scalar":
        wanted = [((), expand(content["expect"]["value"]))]
        return list(differences(wanted, found, ordered=False)) if kind == "scalar" else [f"gave {kind}"]
    return list(differences(expected_series(content), found, ordered=content["ordered"]))


def loaded(case: Case) -> MemorySeries:
    """The store that a case sees. Cases of a group stand together: the last stores are kept."""
    if case.group not in STORES:
        if len(STORES) > 4:
            STORES.clear()
        STORES[case.group] = store_of(case.loads)
    return STORES[case.group]


def outcome(case: Case) -> tuple[str, str, list[tuple[object, list[float | None]]]]:
    content, store = case.content, loaded(case)
    planned = plan(content["query"])
    if content["kind"] == "range":
        query = QueryRange(content["start_ms"], content["end_ms"], content["step_ms"])
        series = evaluate_range(planned, store, query)
        found = [
            (labels, [float(v) if p else None for v, p in zip(values, present, strict=True)])
            for labels, values, present in zip(series.labels, series.values, series.present, strict=True)
        ]
        return "matrix", "", found
    result = evaluate_instant(planned, store, content["at_ms"])
    found = [
        (labels, [float(v) for v in result.values[result.offsets[i] : result.offsets[i + 1]]])
        for i, labels in enumerate(result.labels)
    ]
    return result.kind, result.text, found
