"""Unit tests of rules: what passes, what fails and how it is told; promtool says the same."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

import rules
from rules.services.ruletesting import failures_of_file

PACKS = Path(rules.__file__).parent / "packs"
RULES = """
groups:
  - name: late
    rules: [{alert: Chain, expr: "low:max > 0"}]
  - name: early
    rules:
      - {record: "low:max", expr: max(up == bool 0)}
      - alert: Down
        expr: up == 0
        for: 2m
        labels: {severity: "{{ $labels.job }}"}
        annotations: {summary: "{{ $externalLabels.region }} {{ $value }}"}
      - {alert: Kept, expr: up == 0, keep_firing_for: 3m}
      - alert: Asked
        expr: up == 0
        annotations: {total: '{{ with query "count_over_time(up[1h])" }}{{ . | first | value }}{{ end }}'}
"""
TESTS = """
rule_files: [rules.yml]
evaluation_interval: 1m
group_eval_order: [early, late]
tests:
  - interval: 1m
    external_labels: {region: north}
    input_series: [{series: 'up{job="api"}', values: '1 0x4 1x9'}]
"""
DOWN = """
    alert_rule_test:
      - {eval_time: 2m, alertname: Down}
      - eval_time: 3m
        alertname: Down
        exp_alerts: [{exp_labels: {job: api, severity: api}, exp_annotations: {summary: north 0}}]
"""
OURS = """
    alert_rule_test:
      - {eval_time: 1m, alertname: Down, state: pending, notified: [], exp_alerts: [{exp_labels:
          {job: api, severity: api}, exp_annotations: {summary: north 0}}]}
      - {eval_time: 3m, alertname: Kept, notified: [], exp_alerts: [{exp_labels: {job: api}}]}
      - {eval_time: 8m, alertname: Kept, notified: [], exp_alerts: [{exp_labels: {job: api}}]}
      - {eval_time: 9m, alertname: Kept, notified: [resolved]}
"""
CASES = [
    pytest.param(DOWN, [], id="for, templates and external labels"),
    pytest.param(
        "    alert_rule_test: [{eval_time: 1m, alertname: Chain, exp_alerts: [{exp_labels: {}}]}]",
        [],
        id="groups in the order asked",
    ),
    pytest.param(
        """    alert_rule_test:
      - eval_time: 4m
        alertname: Asked
        exp_alerts: [{exp_labels: {job: api}, exp_annotations: {total: "5"}}]""",
        [],
        id="templates that query",
    ),
    pytest.param(DOWN.replace("north 0", "south 0"), ["alertname Down, time 3m"], id="other annotations"),
    pytest.param(DOWN.replace("3m", "2m", 1), ["alertname Down, time 2m"], id="not firing yet"),
    pytest.param(
        "    promql_expr_test: [{expr: 'low:max * 2', eval_time: 90s, exp_samples: [{value: 2}]}]",
        [],
        id="expression",
    ),
    pytest.param(
        "    promql_expr_test: [{expr: 'low:max', eval_time: 1m, exp_samples: [{labels: '{}', value: 1}]}]",
        ["expr 'low:max', time 1m"],
        id="other labels",
    ),
    pytest.param(
        "    promql_expr_test: [{expr: 'sum(', eval_time: 1m}]", ["parse error"], id="malformed expression"
    ),
]


def written(folder, tests, text=RULES):
    (folder / "rules.yml").write_text(text)
    (folder / "tests.yml").write_text(TESTS + tests)
    return folder / "tests.yml"


@pytest.mark.parametrize(("tests", "told"), CASES)
def test_verdict_and_what_is_told(tmp_path, tests, told):
    failures = failures_of_file(written(tmp_path, tests))

    assert len(failures) == len(told), failures
    assert all(part in failure for part, failure in zip(told, failures, strict=True))


def test_states_and_notifications_are_ours_to_ask(tmp_path):
    assert failures_of_file(written(tmp_path, OURS)) == []
    (wrong,) = failures_of_file(written(tmp_path, OURS.replace("[resolved]", "[firing]")))
    assert "notified:\n  exp: ['firing']\n  got: ['resolved']" in wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("tests: [{intervals: 1m}]", "intervals: Extra inputs", id="unknown field"),
        pytest.param("tests: [{interval: soon}]", "soon", id="no duration"),
        pytest.param("tests: [", "not YAML", id="no YAML"),
        pytest.param(
            "rule_files: [none.yml]\ntests: [{promql_expr_test: [{expr: a, eval_time: 9y}]}]",
            "at most 100000",
            id="too long",
        ),
        pytest.param(
            "tests: [{input_series: [{series: a, values: b}]}]", "is not of the form", id="no value"
        ),
        pytest.param(
            "tests: [{input_series: [{series: a, values: 0x9}, {series: b, values: 0x999999}]}]",
            "there is room for",
            id="too many values together",
        ),
    ],
)
def test_malformed_file_fails_with_the_reason(tmp_path, text, reason):
    (tmp_path / "tests.yml").write_text(text)

    (failure,) = failures_of_file(tmp_path / "tests.yml")

    assert reason in failure


def test_host_pack_does_what_it_says():
    assert failures_of_file(PACKS / "host.test.yaml") == []


def test_command_reports_as_promtool_does(tmp_path):
    good = written(tmp_path, DOWN)
    (tmp_path / "bad.yml").write_text("tests: 1")
    out = io.StringIO()

    call_command("rules", "test", str(good), stdout=out)
    with pytest.raises(CommandError, match="1 of 2 files failed"):
        call_command("rules", "test", str(good), str(tmp_path / "bad.yml"), stdout=out)

    assert out.getvalue().startswith(f"Unit Testing:  {good}\n  SUCCESS\n")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")
def test_promtool_gives_the_same_verdicts(tmp_path):
    text = RULES.replace(", keep_firing_for: 3m", "")  # promtool 2.42 learned of it in this very release
    files = [PACKS / "host.test.yaml"]
    for number, case in enumerate(CASES):
        (tmp_path / str(number)).mkdir()
        files.append(written(tmp_path / str(number), case.values[0], text))
    for file in files:
        command = ["promtool", "test", "rules", file.name]
        done = subprocess.run(command, cwd=file.parent, capture_output=True, check=False)
        assert (done.returncode == 0) is (failures_of_file(file) == []), (file, done.stdout, done.stderr)
