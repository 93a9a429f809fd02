"""Alertmanager's file is read whole or not at all, and written so that it reads the same."""

import shutil
import subprocess

import pytest

from rules.alerts.alertmanager_config import parse_config, route_spec
from rules.alerts.alertmanager_export import export_config
from rules.alerts.routes import build_tree, match
from rules.alerts.yaml_nodes import InvalidDocument

FULL = """
global:
  resolve_timeout: 5m
  smtp_from: alerts@example.org
  smtp_smarthost: mail.example.org:25
templates: [notes.tmpl]
route:
  receiver: default
  group_by: [alertname, cluster]
  group_wait: 10s
  group_interval: 2m
  repeat_interval: 3h
  routes:
    - receiver: pager
      matchers: ['severity="critical"', 'team=~"db.*",env!="test"']
      continue: true
      mute_time_intervals: [weekend]
      group_by: ['...']
    - match: {service: web}
      match_re: {host: 'web\\d+'}
      active_time_intervals: [office]
      group_by: []
      group_wait: 0s
receivers:
  - name: default
    email_configs:
      - {to: ops@example.org, send_resolved: true, headers: {Subject: "é: {{ .Status }}"}}
  - name: pager
    pagerduty_configs: [{service_key: abc}]
    webhook_configs: [{url: 'http://example.org/a'}, {url: 'http://example.org/b', max_alerts: 3}]
    pushover_configs: [{user_key: u, token: t}]
inhibit_rules:
  - source_matchers: [severity = critical]
    target_match: {severity: warning}
    target_match_re: {team: .+}
    equal: [cluster]
mute_time_intervals:
  - name: weekend
    time_intervals: [{weekdays: ['saturday:sunday'], location: Europe/Paris}]
time_intervals:
  - name: office
    time_intervals:
      - times: [{start_time: '09:00', end_time: '17:00'}]
        days_of_month: ['1:-1']
        months: ['january:march', '12']
        years: ['2020:2030']
""".replace("saturday:sunday", "monday:tuesday")


def test_reading_writing_and_reading_is_reading():
    config = parse_config(FULL)

    assert parse_config(export_config(config)) == config


def test_what_is_not_taken_is_told():
    assert parse_config(FULL).not_taken == ("pushover_configs of receiver pager", "template file notes.tmpl")


def test_routes_lead_to_receivers_by_id():
    config = parse_config(FULL)
    tree = build_tree(route_spec(config.route, {"default": ("1",), "pager": ("2", "3")}))

    found = match(tree, {"severity": "critical", "team": "dba", "service": "web", "host": "web1"})

    assert [(one.route.id, one.route.receivers) for one in found] == [("0.0", ("2", "3")), ("0.1", ("1",))]
    assert [one.route.group_by for one in found] == [None, ()]
    assert [one.route.group_wait_ms for one in found] == [10_000, 0]


RECEIVERS = "receivers: [{name: a}]\n"
MINIMAL = "route: {receiver: a}\n" + RECEIVERS


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("", ["1:1: the file is empty"], id="empty"),
        pytest.param("a: [", ["not YAML"], id="not YAML"),
        pytest.param("[]", ["1:1: a mapping is expected here", "1:1: no route"], id="no mapping"),
        pytest.param(MINIMAL + "rotue: {}", ["3:1: unknown field 'rotue'"], id="unknown part"),
        pytest.param(
            "route: {receiver: b}\nreceivers: [{name: a}]", ["1:19: undefined receiver 'b'"], id="receiver"
        ),
        pytest.param("route: {}\nreceivers: []", ["1:8: the root route names no receiver"], id="no receiver"),
        pytest.param(
            "route:\n  receiver: a\n  group_wait: 1x\n  group_interval: 0s\n  matchers: ['=']\n" + RECEIVERS,
            [
                "3:15: duration '1x'",
                "4:19: group_interval cannot be zero",
                "5:14: at 1: expected a label name",
            ],
            id="three faults at once",
        ),
        pytest.param(
            MINIMAL.replace("a}", "a, match: {x: y}, continue: true}", 1),
            ["cannot continue", "must not have matchers"],
            id="root that chooses",
        ),
        pytest.param(MINIMAL.replace("a}", "a, continue: maybe}", 1), ["1:32: true or false"], id="no flag"),
        pytest.param(
            MINIMAL.replace("a}", "a, routes: [{mute_time_intervals: [x]}]}", 1),
            ["undefined time interval 'x'"],
            id="interval",
        ),
        pytest.param(
            MINIMAL + "time_intervals:\n- name: x\n  time_intervals:\n  - weekdays: [noday]",
            ["6:5: weekdays: 'noday' is not a weekday"],
            id="weekday",
        ),
        pytest.param(
            MINIMAL.replace("name: a", "name: a, mail: []"), ["unknown field 'mail'"], id="receiver field"
        ),
        pytest.param(
            MINIMAL.replace("[{name: a}", "[{name: a}, {name: a}"), ["'a' stands twice"], id="twins"
        ),
        pytest.param(MINIMAL + "inhibit_rules: [{source_match_re: {a: '('}}]", ["3:39: "], id="regex"),
        pytest.param("a: &a [*a]", ["unfolds to more than"], id="an alias to itself"),
        pytest.param("[" * 5000, ["nested deeper"], id="deep"),
    ],
)
def test_every_fault_is_told_where_it_stands(text, problems):
    with pytest.raises(InvalidDocument) as refusal:
        parse_config(text)
    found = [str(problem) for problem in refusal.value.problems]
    assert len(found) == len(problems), found
    assert all(part in one for part, one in zip(problems, found, strict=True)), found


def amtool_takes(text, folder):
    path = folder / "alertmanager.yml"
    path.write_text(text, encoding="utf-8")
    return subprocess.run(["amtool", "check-config", path], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
@pytest.mark.parametrize(
    "text",
    [
        FULL.replace("templates: [notes.tmpl]", ""),
        MINIMAL,
        MINIMAL + "rotue: {}",
        MINIMAL.replace("receiver: a", "receiver: b"),
        MINIMAL.replace("a}", "a, group_interval: 0s}", 1),
        MINIMAL.replace("a}", "a, group_by: [b, b]}", 1),
        MINIMAL.replace("a}", "a, group_by: [b, '...']}", 1),
        MINIMAL.replace("a}", "a, routes: [{matchers: ['a=~\"(\"']}]}", 1),
        MINIMAL.replace("a}", "a, routes: [{matchers: [a=b]}]}", 1),
        MINIMAL.replace("a}", "a, routes: [{mute_time_intervals: [x]}]}", 1),
        MINIMAL + "time_intervals: [{name: x, time_intervals: [{weekdays: ['friday:monday']}]}]",
        MINIMAL + "time_intervals: [{name: x, time_intervals: [{days_of_month: ['-1:5']}]}]",
    ],
)
def test_amtool_agrees(text, tmp_path):
    try:
        taken = export_config(parse_config(text))
    except InvalidDocument:
        assert not amtool_takes(text, tmp_path)
    else:
        assert amtool_takes(text, tmp_path)
        assert amtool_takes(taken, tmp_path)
