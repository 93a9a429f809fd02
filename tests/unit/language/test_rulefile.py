"""Rule files: what is read, what is refused where, what an export writes."""

from __future__ import annotations

import csv
import io
import json

import pytest

from alertsite.core.errors import InvalidParameter
from rules.language.export import export_groups
from rules.language.rulefile import FileGroup, FileRule, InvalidRuleFile, normal_form, parse_rule_file

FILE = """
groups:
  - name: api
    interval: 30s
    query_offset: 1m
    limit: 5
    labels: {team: web, tier: back}
    rules:
      - record: job:up:min
        expr: min by (job) (up)
      - alert: Down
        expr: |
          job:up:min == 0
        for: 5m
        keep_firing_for: 90s
        labels: {severity: page, tier: front}
        annotations: {summary: "{{ $labels.job }} is down"}
"""


def test_group_is_read_with_everything_it_says():
    (group,) = parse_rule_file(FILE)

    assert (group.name, group.interval_ms, group.query_offset_ms, group.limit) == ("api", 30_000, 60_000, 5)
    recording, alert = group.rules
    assert (recording.record, recording.line) == ("job:up:min", 9)
    assert (alert.name, alert.expr) == ("Down", "job:up:min == 0")
    assert (alert.hold_for_ms, alert.keep_firing_for_ms) == (300_000, 90_000)
    assert normal_form(group).rules[1].labels == {"team": "web", "tier": "front", "severity": "page"}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param("groups: [", 2, "not YAML", id="no YAML"),
        pytest.param("groups:\n- rules: []", 2, "needs a name", id="group without a name"),
        pytest.param("groups:\n- name: a\n- name: a", 3, "stands twice", id="twin groups"),
        pytest.param("groups:\n- name: a\n  rule: []", 3, "unknown field 'rule'", id="unknown field"),
        pytest.param("groups:\n- name: a\n  interval: 5", 3, "interval: duration", id="no duration"),
        pytest.param("groups:\n- name: a\n  limit: -1", 3, "not a count", id="no count"),
        pytest.param(
            "groups:\n- name: a\n  rules:\n  - expr: up", 4, "either 'alert' or 'record'", id="no name"
        ),
        pytest.param("groups:\n- name: a\n  rules:\n  - alert: A", 4, "no 'expr'", id="no expression"),
        pytest.param('groups:\n- name: "a\\0"', 2, "NUL", id="NUL character"),
        pytest.param(
            "groups:\n- name: a\n  rules:\n  - {record: r, expr: up, for: 1m}",
            4,
            "recording",
            id="for of a record",
        ),
        pytest.param(
            "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up, alertsite: {mood: good}}",
            4,
            "unknown field 'mood'",
            id="unknown own field",
        ),
    ],
)
def test_fault_is_refused_with_its_line(text, line, reason):
    with pytest.raises(InvalidRuleFile, match=reason) as caught:
        parse_rule_file(text)
    assert caught.value.line == line


def ours(**own):
    rule = FileRule(line=0, alert="Full", record="", expr='used > 0.9 or label_join(x, "a", "${b}")', own=own)
    return [FileGroup(line=0, name="disks", rules=[rule], interval_ms=15_000)]


@pytest.mark.parametrize("form", ["prometheus", "json"])
def test_export_reads_back_as_it_was(form):
    groups = [normal_form(group) for group in parse_rule_file(FILE)]

    assert [normal_form(group) for group in parse_rule_file(export_groups(groups, form))] == groups


def test_json_keeps_what_prometheus_has_no_field_for():
    own = {"severity": "high", "alert_limit": 3, "condition": {"type": "threshold", "threshold": 0.9}}

    (group,) = parse_rule_file(export_groups(ours(**own), "json"))

    assert group.rules[0].own == own


def test_prometheus_file_says_what_it_leaves_out_and_keeps_the_severity_as_a_label():
    text = export_groups(ours(severity="high", recovery_expr="used > 0.8", alert_limit=2), "prometheus")

    assert text.splitlines()[0] == "# disks/Full is without its recovery_expr, alert_limit"
    assert parse_rule_file(text)[0].rules[0].labels == {"severity": "high"}


@pytest.mark.parametrize("form", ["prometheus", "terraform"])
def test_rules_that_are_not_active_stay_here(form):
    text = export_groups(ours(state="paused"), form)

    assert text.startswith("# disks/Full is left out: it is paused\n")
    assert "used > 0.9" not in text


def test_csv_has_a_row_a_rule():
    rows = list(csv.DictReader(io.StringIO(export_groups(parse_rule_file(FILE), "csv"))))

    assert [row["name"] for row in rows] == ["job:up:min", "Down"]
    assert (rows[1]["for"], rows[1]["interval"]) == ("5m", "30s")
    assert json.loads(rows[1]["annotations"]) == {"summary": "{{ $labels.job }} is down"}


def test_terraform_takes_no_text_for_a_template():
    text = export_groups(ours(), "terraform")

    assert r'"expr" = "used > 0.9 or label_join(x, \"a\", \"$${b}\")"' in text


def test_unknown_format_is_refused():
    with pytest.raises(InvalidParameter, match="one of prometheus, json, csv, terraform"):
        export_groups([], "xml")
