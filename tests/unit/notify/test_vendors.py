"""What is particular to each service: its limits, its life cycle, its errors behind a good status."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from rules.notify.notification import DeliveryFailed, DeliveryRefused, InvalidReceiver
from rules.notify.texts import utf16_units
from tests.contracts.receiver_benches import ACCOUNT, OVER_HTTP, SECRET
from tests.factories.notifications import make_notice

ACTIONS = {name: f"https://alerts.example/act/{name}/" for name in ("acknowledge", "snooze", "resolve")}
STORM = tuple(
    make_notice(
        labels={"alertname": "HostDown", "n": str(number)},
        annotations={"summary": f"😀{number}", "description": "<é>" * 400},
    )
    for number in range(100)
)
LONG = (make_notice(labels={"alertname": "x" * 9_000}, annotations={"summary": "😀" * 50_000}),)
ALWAYS = {"actions": ACTIONS, "truncated": 5}


def sent(name: str, config: dict[str, Any] | None = None, **values: Any) -> tuple[str, str]:
    """What arrives: the first line of the request, and its body."""
    with OVER_HTTP[name].bench() as bench:
        bench.config |= config or {}
        bench.send(**values)
        (arrived,) = bench.arrived()
    head, _, body = arrived.partition("\n\n")
    return head.splitlines()[0], body


def limits_of_slack(body: str) -> str:
    document = json.loads(body)
    (attachment,) = document["attachments"]
    texts = [block["text"]["text"] for block in attachment["blocks"]]
    assert len(texts) <= 50
    assert max(map(len, texts)) <= 3_000
    assert len(document["text"]) <= 3_000
    return "\n".join(texts)


def limits_of_teams(body: str) -> str:
    assert len(body) <= 28_000
    ((card),) = (one["content"] for one in json.loads(body)["attachments"])
    return "\n".join(block["inlines"][0]["text"] for block in card["body"])


def limits_of_telegram(body: str) -> str:
    document = json.loads(body)
    size = utf16_units(document["text"])
    assert size <= 4_096
    assert all(mark["offset"] + mark["length"] <= size for mark in document["entities"])
    return document["text"]


def limits_of_discord(body: str) -> str:
    (embed,) = json.loads(body)["embeds"]
    footer = embed.get("footer", {}).get("text", "")
    assert len(embed["title"]) <= 256
    assert utf16_units(embed["description"]) <= 4_096
    assert utf16_units(embed["title"] + embed["description"] + footer) <= 6_000
    return embed["description"] + footer


def limits_of_pagerduty(body: str) -> str:
    event = json.loads(body)
    assert len(event["payload"]["summary"]) <= 1_024
    assert len(event["dedup_key"]) <= 255
    assert len(body) <= 512_000
    return event["payload"]["custom_details"]["text"]


def limits_of_opsgenie(body: str) -> str:
    document = json.loads(body)
    assert len(document["message"]) <= 130
    assert len(document["alias"]) <= 512
    assert len(document["description"]) <= 15_000
    return document["description"]


def limits_of_twilio(body: str) -> str:
    (text,) = parse_qs(body)["Body"]
    assert len(text) <= 1_600
    return text


def limits_of_sns(body: str) -> str:
    fields = parse_qs(body)
    assert len(fields["Subject"][0]) < 100
    assert len(fields["Message"][0].encode()) <= 262_144
    return fields["Message"][0]


LIMITS = {
    "discord": limits_of_discord,
    "msteams": limits_of_teams,
    "opsgenie": limits_of_opsgenie,
    "pagerduty": limits_of_pagerduty,
    "slack": limits_of_slack,
    "sns": limits_of_sns,
    "telegram": limits_of_telegram,
    "twilio": limits_of_twilio,
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_storm_fits_and_says_how_many_alerts_are_missing(name):
    text = LIMITS[name](sent(name, alerts=STORM, **ALWAYS)[1])
    assert "more alerts" in text


@pytest.mark.parametrize("name", LIMITS)
def test_one_long_alert_fits_and_says_how_much_is_missing(name):
    text = LIMITS[name](sent(name, alerts=LONG, **ALWAYS)[1])
    assert "characters more)" in text or name == "sns"


@pytest.mark.parametrize("name", LIMITS)
def test_a_long_template_fits(name):
    config = {"text": "{{ range .Alerts }}" + "é" * 600 + "{{ end }}"}
    LIMITS[name](sent(name, config, alerts=STORM, **ALWAYS)[1])


@pytest.mark.parametrize("name", LIMITS)
def test_a_failing_template_goes_out_as_the_default_and_says_so(name):
    text = LIMITS[name](sent(name, {"text": "{{ .Nope }}"}, **ALWAYS)[1])
    assert "The template `text` failed" in text
    assert "line 1, column 4" in text
    assert "db1 is down" in text


@pytest.mark.parametrize("name", LIMITS)
def test_a_template_is_what_is_said(name):
    text = LIMITS[name](sent(name, {"text": "{{ .CommonLabels.instance }} is {{ .Status }}"})[1])
    assert "db1:9100 is firing" in text


def test_slack_gets_no_empty_section():
    config = {"text": "a" + " " * 6_500 + "b"}
    _, body = sent("slack", config)
    sections = [block["text"]["text"] for block in json.loads(body)["attachments"][0]["blocks"]]
    assert all(section.strip() for section in sections)
    assert len(sections) == 2


def test_slack_is_not_told_to_mention_anybody():
    text = limits_of_slack(sent("slack", annotations={"summary": "<!channel> & co"})[1])
    assert "&lt;!channel&gt; &amp; co" in text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param("ratelimited", DeliveryFailed, id="asked too much"),
        pytest.param("channel_not_found", DeliveryRefused, id="no such channel"),
    ],
)
def test_slack_refuses_with_a_good_status(error, expected):
    with OVER_HTTP["slack"].bench() as bench:
        bench.answer(status=200, body=json.dumps({"ok": False, "error": error}).encode())
        with pytest.raises(expected, match=error):
            bench.send()


def test_slack_takes_an_incoming_webhook():
    with OVER_HTTP["slack"].bench() as bench:
        root = bench.registry._kinds["slack"].api_url
        bench.config, bench.secrets = {}, {"webhook_url": f"{root}/services/T0/B0/x"}
        bench.answer(status=200, body=b"ok")
        assert bench.send().text == "HTTP 200 ok"
        (arrived,) = bench.arrived()
    assert arrived.startswith("POST /api/services/T0/B0/x\n")
    assert "channel" not in json.loads(arrived.partition("\n\n")[2])


@pytest.mark.parametrize(
    ("name", "config", "secrets", "field"),
    [
        pytest.param("slack", {}, {}, "secrets", id="slack: no way in"),
        pytest.param("slack", {}, {"token": "t"}, "config.channel", id="slack: a bot without channel"),
        pytest.param(
            "slack",
            {"channel": "C"},
            {"webhook_url": "https://x/"},
            "config.channel",
            id="slack: two channels",
        ),
        pytest.param("alertmanager", {"url": "http://x"}, {"username": "u"}, "secrets", id="no password"),
        pytest.param("alertmanager", {"url": "http://u:p@x"}, {}, "config.url", id="password in the URL"),
        pytest.param("pagerduty", {}, {"routing_key": "a\nb"}, "secrets.routing_key", id="a line in a key"),
        pytest.param("telegram", {"chat_id": 1}, {"token": "1:a/../b"}, "secrets.token", id="path in a key"),
        pytest.param(
            "discord", {"text": "{{ x }}"}, {"webhook_url": "http://x"}, "config.text", id="template"
        ),
        pytest.param(
            "twilio",
            {"account_sid": ACCOUNT, "to": "+33612345678", "sender": "Alerts", "mode": "voice"},
            {"auth_token": "t"},
            "config.sender",
            id="a call from a name",
        ),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(name, config, secrets, field):
    with OVER_HTTP[name].bench() as bench, pytest.raises(InvalidReceiver) as caught:
        bench.registry.open(name, config, secrets)
    assert list(caught.value.errors) == [field]


@pytest.mark.parametrize(
    ("values", "action"),
    [
        pytest.param({}, "trigger", id="fires"),
        pytest.param({"reason": "acknowledged"}, "acknowledge", id="somebody is on it"),
        pytest.param({"reason": "acknowledged", "state": "resolved"}, "resolve", id="over all the same"),
        pytest.param({"state": "resolved"}, "resolve", id="over"),
    ],
)
def test_pagerduty_is_told_what_became_of_the_incident(values, action):
    event = json.loads(sent("pagerduty", idempotency_key="k", **values)[1])
    first = json.loads(sent("pagerduty")[1])
    assert event["event_action"] == action
    assert event["dedup_key"] == first["dedup_key"]
    assert ("payload" in event) == (action == "trigger")


def test_pagerdutys_severity_is_mapped():
    labels = {"severity": "p2"}
    event = json.loads(sent("pagerduty", {"severities": {"p2": "warning"}}, labels=labels)[1])
    assert event["payload"]["severity"] == "warning"


@pytest.mark.parametrize(
    ("values", "action"),
    [
        pytest.param({"reason": "acknowledged"}, "acknowledge", id="somebody is on it"),
        pytest.param({"reason": "acknowledged", "state": "resolved"}, "close", id="over all the same"),
        pytest.param({"state": "resolved"}, "close", id="over"),
    ],
)
def test_opsgenie_acknowledges_and_closes_what_it_created(values, action):
    alias = json.loads(sent("opsgenie")[1])["alias"]
    line, _ = sent("opsgenie", **values)
    assert line == f"POST /v2/alerts/{alias}/{action}?identifierType=alias"


@pytest.mark.parametrize("name", ["opsgenie", "pagerduty"])
def test_incidents_of_two_tenants_never_meet(name):
    key = {"opsgenie": "alias", "pagerduty": "dedup_key"}[name]
    assert json.loads(sent(name)[1])[key] != json.loads(sent(name, tenant="other")[1])[key]


def test_telegram_says_in_its_body_how_long_to_wait():
    body = {"ok": False, "error_code": 429, "parameters": {"retry_after": 14}}
    with OVER_HTTP["telegram"].bench() as bench:
        bench.answer(status=429, body=json.dumps(body).encode())
        with pytest.raises(DeliveryFailed) as caught:
            bench.send()
    assert caught.value.retry_after_s == 14.0


def test_telegrams_marks_stand_where_they_belong():
    document = json.loads(sent("telegram", annotations={"summary": "😀"}, actions=ACTIONS)[1])
    units = document["text"].encode("utf-16-le")
    marked = [
        units[2 * mark["offset"] : 2 * (mark["offset"] + mark["length"])].decode("utf-16-le")
        for mark in document["entities"]
    ]
    assert marked == ["[FIRING] HostDown", "Acknowledge", "Snooze", "Resolve", "Open"]


def test_discord_mentions_nobody():
    assert json.loads(sent("discord")[1])["allowed_mentions"] == {"parse": []}


def test_twilio_calls_and_says_it_twice():
    line, body = sent("twilio", {"mode": "voice"}, annotations={"summary": "disk < 5 % & full"})
    (said,) = parse_qs(body)["Twiml"]
    assert line == f"POST /2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    assert said.startswith('<Response><Say language="en-US" loop="2">One alert firing.')
    assert "disk &lt; 5 % &amp; full" in said


def test_a_long_call_is_well_formed_and_short_enough():
    (said,) = parse_qs(sent("twilio", {"mode": "voice", "text": "&" * 9_000})[1])["Twiml"]
    assert len(said) <= 4_000
    assert said.endswith("</Say></Response>")


def test_twilio_sends_by_a_messaging_service():
    fields = parse_qs(sent("twilio", {"sender": "MG" + "0" * 32})[1])
    assert "MessagingServiceSid" in fields
    assert "From" not in fields


@pytest.mark.parametrize(
    ("state", "ends_at"),
    [
        pytest.param("firing", "2026-03-01T13:00:00+00:00", id="fires on until told again"),
        pytest.param("resolved", "2026-03-01T12:00:00+00:00", id="over"),
    ],
)
def test_another_alertmanager_knows_when_it_ends(state, ends_at):
    (alert,) = json.loads(sent("alertmanager", {"firing_for_s": 3_600}, state=state)[1])
    assert alert["endsAt"] == ends_at


def test_another_alertmanager_gets_no_empty_labels():
    (alert,) = json.loads(sent("alertmanager", labels={"a": "", "b": "1"}, annotations={"c": ""})[1])
    assert (alert["labels"], alert["annotations"]) == ({"b": "1"}, {})


@pytest.mark.parametrize("name", OVER_HTTP)
def test_no_secret_is_in_a_preview(name):
    with OVER_HTTP[name].bench() as bench:
        assert SECRET not in str(bench.preview(actions=ACTIONS))
