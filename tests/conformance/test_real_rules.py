"""Every real rule is planned, evaluates on empty data, and does so tick after tick in a replay."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from rules.evaluation.replay import Helpers, replay
from rules.evaluation.ruletests import specs_of
from rules.language.engine import EvaluationLimits
from rules.language.rulefile import parse_rule_file
from rules.notify.templates import TemplateExpander
from rules.series.backends.memory import MemorySeries
from tests.conformance.cases import SHARED

FILES = sorted(path for path in (SHARED / "data" / "rules").rglob("*") if path.suffix in {".yml", ".yaml"})


@pytest.mark.skipif(not FILES, reason="no real rule files beside the repository")
def test_every_real_rule_evaluates_without_error_on_empty_data():
    specs = []
    for number, path in enumerate(FILES):
        groups = parse_rule_file(path.read_text(encoding="utf-8"))
        # Names repeat from file to file: a group a file keeps their rules from reading one another.
        specs += [replace(spec, group=f"{number}") for spec in specs_of(groups, ())]
    specs = [replace(spec, id=UUID(int=number)) for number, spec in enumerate(specs)]

    done = replay(
        specs, MemorySeries(), range(60_000, 240_000, 60_000), EvaluationLimits(), Helpers(_templates)
    )

    assert len(specs) >= 300
    assert done.errors == {}


def _templates(*_):
    return TemplateExpander()
