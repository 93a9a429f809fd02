"""Mail of any notification: headers that nothing can break, a body that says everything."""

from __future__ import annotations

from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st

from rules.notify.receivers.email.receiver import message_of
from tests.factories.notifications import make_notification

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
HEADERS = {
    "Subject",
    "From",
    "To",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Idempotency-Key",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}


@given(name=TEXT, summary=TEXT)
def test_no_label_adds_a_header(name, summary):
    notification = make_notification(labels={"alertname": name}, annotations={"summary": summary})
    sent = message_of(notification, "alerts@acme.example", ["a@acme.example"]).as_bytes()
    read = message_from_bytes(sent, policy=policy.default)
    assert set(read.keys()) == HEADERS
    assert len(read["Subject"].splitlines()) == 1
    assert read.get_content().split()[0] == "[FIRING]"


def test_the_body_says_everything():
    notification = make_notification(value=0.25)
    body = message_of(notification, "alerts@acme.example", ["a@acme.example"]).get_content()
    (alert,) = notification.alerts
    facts = [*alert.labels.values(), *alert.annotations.values(), "0.25", alert.url, notification.url]
    assert all(fact in body for fact in facts)


def test_the_message_id_depends_on_the_idempotency_key_alone():
    ids = {
        message_of(make_notification(**values), "Alerts <a@acme.example>", ["b@acme.example"])["Message-ID"]
        for values in ({}, {"state": "resolved"}, {"value": 9.0})
    }
    other = message_of(make_notification(idempotency_key="other"), "a@acme.example", ["b@acme.example"])
    (own,) = ids
    assert own.endswith("@acme.example>")
    assert own != other["Message-ID"]
