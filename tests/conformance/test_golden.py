"""Our own scripts of the language: series, expressions, what they give. See `tests/golden/language`.

A script has `load` (series notation, one sample every `step`), and `cases`: `expr` at time `at` (or over
`range`: start, end, step) gives `expect`, by label set, in order when `ordered`; or `fails` with a message
that has the words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import PlatformError
from rules.language.engine import QueryRange, evaluate_instant, evaluate_range
from rules.language.plan import plan
from tests.conformance.cases import differences, expand
from tests.unit.language.store import labels_of, store_of

SCRIPTS = sorted((Path(__file__).parents[1] / "golden" / "language").glob("*.yaml"))
LOADED = {path.stem: yaml.safe_load(path.read_text()) for path in SCRIPTS}


@pytest.mark.parametrize(
    ("script", "case"),
    [
        pytest.param(name, case, id=f"{name}: {case['expr']}")
        for name, script in LOADED.items()
        for case in script["cases"]
    ],
)
def test_script(script: str, case: dict[str, Any]) -> None:
    content = LOADED[script]
    store = store_of(content["load"], step_ms=parse_duration_ms(content.get("step", "1m")))
    if "fails" in case:
        with pytest.raises(PlatformError) as caught:
            outcome(case, store)
        assert case["fails"] in str(caught.value)
        return
    wanted = [(labels_of(text), expand(str(values))) for text, values in case["expect"].items()]
    assert list(differences(wanted, outcome(case, store), ordered=case.get("ordered", False))) == []


def outcome(case: dict[str, Any], store: Any) -> list[Any]:
    planned = plan(case["expr"])
    if "range" in case:
        query = QueryRange(*(parse_duration_ms(str(part)) for part in case["range"]))
        series = evaluate_range(planned, store, query)
        return [
            (labels, [float(v) if p else None for v, p in zip(values, present, strict=True)])
            for labels, values, present in zip(series.labels, series.values, series.present, strict=True)
        ]
    result = evaluate_instant(planned, store, parse_duration_ms(str(case.get("at", "10m"))))
    return [
        (labels, result.values[result.offsets[i] : result.offsets[i + 1]].tolist())
        for i, labels in enumerate(result.labels)
    ]


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 6
