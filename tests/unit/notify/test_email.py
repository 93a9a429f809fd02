"""Mail of any notification: headers that nothing can break, a body that says everything."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.notify.receivers.email.config import EmailConfig
from rules.notify.receivers.email.message import message_of, words_of
from tests.factories.notifications import make_notification

TO = EmailConfig(to=["a@acme.example"])
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
HEADERS = {
    "Subject",
    "From",
    "To",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Idempotency-Key",
    "In-Reply-To",
    "References",
    "Content-Type",
    "MIME-Version",
}


@given(name=TEXT, summary=TEXT)
def test_no_label_adds_a_header(name, summary):
    notification = make_notification(labels={"alertname": name}, annotations={"summary": summary})
    sent = message_of(notification, "alerts@acme.example", TO).as_bytes()
    read = message_from_bytes(sent, policy=policy.default)
    assert set(read.keys()) == HEADERS
    assert len(read["Subject"].splitlines()) == 1
    assert read.get_body(("plain",)).get_content().split()[0] == "[FIRING]"
    assert "<script" not in read.get_body(("html",)).get_content().lower()


@pytest.mark.parametrize("part", ["plain", "html"])
def test_each_body_says_everything(part):
    notification = make_notification(
        value=0.25, actions={"acknowledge": "https://alerts.example/act/1/"}, truncated=7
    )
    body = message_of(notification, "alerts@acme.example", TO).get_body((part,)).get_content()
    (alert,) = notification.alerts
    facts = [*alert.labels.values(), *alert.annotations.values(), "0.25", alert.url, notification.url]
    assert all(fact in body for fact in [*facts, "https://alerts.example/act/1/", "and 7 more alerts"])


@given(value=TEXT)
def test_no_label_is_html(value):
    notification = make_notification(
        labels={"alertname": f"<b>{value}"}, annotations={"a": f"'\"><i>{value}"}
    )
    config = EmailConfig(to=["a@acme.example"], html="<p>{{ .CommonLabels.alertname }}</p>")
    for written in (TO, config):
        html = words_of(notification, written).html
        assert "<b>" not in html
        assert "<i>" not in html


def test_only_links_of_the_web_are_links():
    annotations = {"runbook_url": "javascript:alert(1)"}
    assert 'href="javascript' not in words_of(make_notification(annotations=annotations), TO).html


def test_templates_write_all_three_texts():
    config = EmailConfig(
        to=["a@acme.example"],
        subject="{{ .Status }}\n{{ .CommonLabels.instance }}",
        text="{{ len .Alerts }} alert",
        html="<b>{{ .Title }}</b>",
    )
    words = words_of(make_notification(), config)
    assert (words.subject, words.text, words.html) == (
        "firing db1:9100",
        "1 alert\n",
        "<b>[FIRING] HostDown</b>",
    )


def test_a_failing_template_of_html_leaves_the_default_and_says_so():
    config = EmailConfig(to=["a@acme.example"], html="{{ range .Alerts }}{{ .Nope }}{{ end }}")
    words = words_of(make_notification(), config)
    assert "The template `html` failed" in words.text
    assert "HostDown</h2>" in words.html
    assert len(words.faults) == 1


def test_mail_of_one_group_is_one_thread():
    def thread(**values):
        message = message_of(make_notification(**values), "a@acme.example", TO)
        return message["In-Reply-To"], message["References"]

    assert thread() == thread(idempotency_key="later", state="resolved")
    assert thread() != thread(group_key="another")
    assert thread() != thread(tenant="another")
    assert thread(group_key="") == (None, None)


def test_the_message_id_depends_on_the_idempotency_key_alone():
    ids = {
        message_of(make_notification(**values), "Alerts <a@acme.example>", TO)["Message-ID"]
        for values in ({}, {"state": "resolved"}, {"value": 9.0})
    }
    other = message_of(make_notification(idempotency_key="other"), "a@acme.example", TO)
    (own,) = ids
    assert own.endswith("@acme.example>")
    assert own != other["Message-ID"]
