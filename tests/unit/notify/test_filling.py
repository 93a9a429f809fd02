"""Templates of messages: Alertmanager's data and ours, and the default that goes out when one fails."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rules.notify.message_templates import Templated, expand, fill, fill_title
from tests.factories.notifications import make_notice, make_notification

TWO = {
    "alerts": (
        make_notice(labels={"alertname": "A", "n": "1"}),
        make_notice(labels={"alertname": "A", "n": "2"}, state="resolved", at="2026-03-01T12:05:00+00:00"),
    ),
    "actions": {"acknowledge": "https://x/act/1/"},
    "truncated": 3,
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{{ .Status }} {{ .Receiver }}", "firing ops", id="status and receiver"),
        pytest.param("{{ range .Alerts.Firing }}{{ .Labels.n }}{{ end }}", "1", id="firing"),
        pytest.param("{{ range .Alerts.Resolved }}{{ .Labels.n }}{{ end }}", "2", id="resolved"),
        pytest.param("{{ .GroupLabels.alertname }}", "HostDown", id="group labels"),
        pytest.param("{{ .CommonLabels.alertname }}{{ .CommonLabels.n }}", "A", id="common labels"),
        pytest.param("{{ .CommonAnnotations.summary }}", "db1 is down, «really»", id="common annotations"),
        pytest.param("{{ .ExternalURL }}", "https://alerts.example/groups/1", id="external URL"),
        pytest.param("{{ (index .Alerts 1).EndsAt.Format `15:04` }}", "12:05", id="ends at"),
        pytest.param("{{ (index .Alerts 0).EndsAt.Format `2006` }}", "0001", id="not ended"),
        pytest.param("{{ .CommonLabels.alertname | toUpper | title }}", "A", id="functions of both"),
        pytest.param("{{ .Tenant }} {{ .Reason }} {{ .TruncatedAlerts }}", "acme new_alerts 3", id="ours"),
        pytest.param("{{ .Actions.acknowledge }}", "https://x/act/1/", id="actions"),
        pytest.param("{{ humanizePercentage (index .Alerts 0).Value }}", "50%", id="value"),
        pytest.param("{{ since (index .Alerts 0).StartsAt }}", "0s", id="time stands still"),
    ],
)
def test_what_a_template_sees(template, expected):
    assert expand(template, make_notification(**TWO)) == expected


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        pytest.param("{{ .Nope }}", "line 1, column 4", id="raises"),
        pytest.param('{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', "itself", id="loops"),
        pytest.param('{{ printf "%1000s" "" }}' * 90, "65536 characters", id="yields too much"),
        pytest.param("{{ query `up` }}", "query", id="asks what it may not"),
        pytest.param("  {{/* nothing */}}  ", "came to nothing", id="says nothing"),
    ],
)
def test_a_failing_template_leaves_the_default_and_says_so(template, reason):
    filled = fill("text", template, make_notification(), lambda: "the default")
    assert filled.text == "the default"
    assert "`text`" in filled.fault
    assert reason in filled.fault


def test_a_malformed_template_is_refused_with_its_position():
    with pytest.raises(ValidationError, match="line 2, column 4: function 'humanise' is not defined"):
        Templated(title="a\n{{ humanise 1 }}")


def test_a_title_is_one_line():
    title = fill_title(Templated(title="a\r\nb\x0b {{ .Status }}"), make_notification())
    assert title.text == "a b firing"
