"""Laws of rule files: what is written reads back the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.language.export import export_groups
from rules.language.rulefile import FileGroup, FileRule, normal_form, parse_rule_file
from tests.conformance.cases import SHARED

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t\x85\u2028"), max_size=12
)
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20)
LABELS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), TEXTS, max_size=3)
DURATIONS = st.integers(0, 10**9)


def _rule(alert: bool, name: str, expr: str, labels: dict[str, str], timed: tuple[int, int, dict[str, str]]):
    if not alert:
        return FileRule(line=0, alert="", record=name, expr=expr, labels=labels)
    hold, keep, annotations = timed
    return FileRule(0, name, "", expr, hold, keep, labels, annotations)


RULES = st.builds(
    _rule,
    st.booleans(),
    NAMES,
    TEXTS.map(str.strip).filter(bool),
    LABELS,
    st.tuples(DURATIONS, DURATIONS, LABELS),
)
GROUPS = st.lists(
    st.builds(
        FileGroup,
        line=st.just(0),
        name=NAMES,
        rules=st.lists(RULES, max_size=4),
        interval_ms=DURATIONS,
        query_offset_ms=DURATIONS,
        limit=st.integers(0, 1000),
    ),
    max_size=3,
    unique_by=lambda group: group.name,
)
FILES = sorted(path for path in (SHARED / "data" / "rules").rglob("*") if path.suffix in {".yml", ".yaml"})


@pytest.mark.parametrize("form", ["prometheus", "json"])
@given(groups=GROUPS)
@settings(deadline=None, max_examples=30)
def test_exported_groups_read_back_the_same(form, groups):
    assert [normal_form(group) for group in parse_rule_file(export_groups(groups, form))] == groups


@pytest.mark.skipif(not FILES, reason="no real rule files beside the repository")
@pytest.mark.parametrize("form", ["prometheus", "json"])
def test_real_rule_files_read_back_the_same(form):
    rules = 0
    for path in FILES:
        groups = [normal_form(group) for group in parse_rule_file(path.read_text(encoding="utf-8"))]
        rules += sum(len(group.rules) for group in groups)
        assert [normal_form(one) for one in parse_rule_file(export_groups(groups, form))] == groups, path.name
    assert rules >= 300
