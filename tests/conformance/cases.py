"""Cases of PromQL with expected results: reading them, loading their series, comparing what an engine gives.

The files lie outside the repository (`../shared/data/promql`, or under `ALERTSITE_SHARED`); the format is
described in the README beside them. Native histograms (`{{…}}`) are left out of loads.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alertsite.core.labels import LabelSet, label_set
from alertsite.core.samples import STALE_NAN
from rules.series.backends.memory import MemorySeries
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch

SHARED = Path(
    os.environ.get(  # noqa: TID251 # where test data lies is no setting of the product
        "ALERTSITE_SHARED", Path(__file__).parents[2].parent / "shared"
    )
)
PACKS = ("visible_cases", "visible_rules_eval", "visible_compliance_eval")
RELATIVE_TOLERANCE = 1e-6
WIDE = SeriesLimits(lateness_ms=10**15, future_ms=10**15)

_NUMBER = r"(?:[Ii]nf|[Nn]a[Nn]|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_ITEM = re.compile(rf"([+-]?{_NUMBER}|stale|_)(?:([+-]{_NUMBER}))?(?:x(\d+))?")


@dataclass(frozen=True)
class Case:
    """One expression over one group's series."""

    id: str
    group: tuple[str, int]
    loads: tuple[dict[str, Any], ...] = field(compare=False)
    content: dict[str, Any] = field(compare=False)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(self.content["needs"])


def read_pack(name: str) -> list[Case]:
    """All cases of a file; none if it is not there."""
    path = SHARED / "data" / "promql" / f"{name}.json"
    if not path.exists():
        return []
    groups = json.loads(path.read_text())["groups"]
    return [
        Case(
            f"{name}/{case['id']}/{index}",
            (group["id"], case["after_load"]),
            tuple(group["loads"][: case["after_load"]]),
            case,
        )
        for group in groups
        for index, case in enumerate(group["cases"])
    ]


def expand(notation: str) -> list[np.float64 | None]:
    """Values of the series notation: `a+bxN` and its kin; None where there is no sample."""
    values: list[np.float64 | None] = []
    for item in notation.split():
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"value item {item!r}")
        start, step, times = match.groups()
        if start == "_":
            values += [None] * (int(times) if times else 1)
            continue
        count = int(times) + 1 if times else 1
        if start == "stale":
            values += [STALE_NAN] * count
            continue
        at = float(start)
        for _ in range(count):
            values.append(np.float64(at))
            at += float(step) if step else 0.0
    return values


def store_of(loads: tuple[dict[str, Any], ...], *, base_ms: int = 0) -> MemorySeries:
    """A store with the series of these loads, shifted by `base_ms`."""
    store = MemorySeries(WIDE)
    for load in loads:
        last = {label_set(series["labels"]): series["values"] for series in load["series"]}
        for labels, notation in last.items():
            if "{{" not in notation:
                start = base_ms + load.get("offset_ms", 0)
                append(store, labels, expand(notation), (start, load["interval_ms"]))
    return store


def append(
    store: MemorySeries, labels: LabelSet, values: list[np.float64 | None], spacing: tuple[int, int]
) -> None:
    """Write one series that begins at `spacing[0]` and has a sample every `spacing[1]` milliseconds."""
    start, interval = spacing
    rows = [(start + index * interval, value) for index, value in enumerate(values) if value is not None]
    times = np.array([time for time, _ in rows], np.int64)
    batch = SampleBatch([labels], np.zeros(len(rows), np.int64), times, np.array([v for _, v in rows]))
    store.append(batch, now_ms=0)


def expected_series(case: dict[str, Any]) -> list[tuple[LabelSet, list[np.float64 | None]]]:
    """Label sets and values, one a step, that the case asks for."""
    return [(label_set(series["labels"]), expand(series["values"])) for series in case["expect"]["series"]]


def close(found: float, wanted: float) -> bool:
    """Whether two values agree to the tolerance of the cases."""
    if math.isnan(wanted) or math.isnan(found):
        return math.isnan(wanted) and math.isnan(found)
    if math.isinf(wanted) or math.isinf(found):
        return found == wanted
    return math.isclose(found, wanted, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-300)


def differences(
    wanted: list[tuple[LabelSet, list[np.float64 | None]]],
    found: list[tuple[LabelSet, list[float | None]]],
    *,
    ordered: bool,
) -> Iterator[str]:
    """What differs, a line each."""
    if ordered and [labels for labels, _ in wanted] != [labels for labels, _ in found]:
        yield f"order: wanted {[labels for labels, _ in wanted]}, found {[labels for labels, _ in found]}"
    by_labels = dict(found)
    if len(by_labels) != len(found):
        yield "a label set stands twice"
    for labels, values in wanted:
        have = by_labels.pop(labels, None)
        if have is None:
            yield f"missing {labels}"
            continue
        padded = [*values, *[None] * (len(have) - len(values))]
        for step, (one, other) in enumerate(zip(padded, have, strict=False)):
            if (one is None) != (other is None) or (one is not None and not close(other, float(one))):
                yield f"{labels} step {step}: wanted {one}, found {other}"
    for labels, extra in by_labels.items():
        yield f"unexpected {labels}: {extra}"
