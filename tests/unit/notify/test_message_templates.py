"""Groups of alerts in templates: what Alertmanager's templates use."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rules.notify.gotemplate.evaluator import Data, execute
from rules.notify.gotemplate.limits import TemplateLimits
from rules.notify.gotemplate.messages import AlertView, group_struct
from rules.notify.gotemplate.parser import parse
from rules.notify.templates import FUNCTION_NAMES, FUNCTIONS
from tests.factories.rows import NOON


def make_view(instance: str, status: str = "firing") -> AlertView:
    return AlertView(
        status=status,
        labels={"alertname": "HostDown", "instance": instance, "app": "db"},
        annotations={"summary": f"{instance} is down", "runbook": "r"},
        starts_at=NOON,
        ends_at=NOON + timedelta(minutes=5) if status == "resolved" else None,
        url="https://alerts.example/a",
        fingerprint="f1",
    )


def fill(text: str, *alerts: AlertView) -> str:
    data = group_struct("team", {"alertname": "HostDown"}, alerts, "https://alerts.example")
    return execute(parse(text, FUNCTION_NAMES), Data(data, {}), FUNCTIONS, TemplateLimits())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "[{{ .Status | toUpper }}:{{ .Alerts.Firing | len }}] {{ .CommonLabels.alertname }}",
            "[FIRING:1] HostDown",
            id="a usual subject",
        ),
        pytest.param("{{ .Alerts.Resolved | len }} of {{ len .Alerts }}", "1 of 2", id="resolved"),
        pytest.param(
            "{{ range .Alerts }}{{ .Labels.instance }}: {{ .Annotations.summary }}; {{ end }}",
            "a: a is down; b: b is down; ",
            id="alerts",
        ),
        pytest.param(
            "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
            "alertname=HostDown app=db ",
            id="pairs, alertname first",
        ),
        pytest.param('{{ .CommonLabels.Names | join "," }}', "alertname,app", id="names"),
        pytest.param('{{ .CommonLabels.Values | join "," }}', "HostDown,db", id="values"),
        pytest.param('{{ .GroupLabels.SortedPairs.Values | join " " }}', "HostDown", id="values of pairs"),
        pytest.param(
            '{{ (.CommonLabels.Remove (stringSlice "app")).Names | join "," }}', "alertname", id="remove"
        ),
        pytest.param("{{ .CommonAnnotations }}", "map[runbook:r]", id="what annotations share"),
        pytest.param(
            '{{ (index .Alerts 0).StartsAt.Format "15:04" }} {{ (index .Alerts 1).EndsAt }}',
            "12:00 2026-03-01 12:05:00 +0000 UTC",
            id="times",
        ),
        pytest.param("{{ (index .Alerts 0).EndsAt.Unix }}", "-62135596800", id="an end that is not set"),
        pytest.param("{{ .Receiver }} {{ .ExternalURL }}", "team https://alerts.example", id="surroundings"),
    ],
)
def test_a_group_of_alerts(text, expected):
    assert fill(text, make_view("a"), make_view("b", "resolved")) == expected


def test_a_group_without_firing_alerts_is_resolved():
    assert fill("{{ .Status }}", make_view("a", "resolved")) == "resolved"


def test_a_group_without_alerts_shares_nothing():
    assert fill("{{ .Status }} {{ .CommonLabels }}") == "resolved map[]"
