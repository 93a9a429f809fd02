"""What every kind of receiver must do, each against a real server of its own protocol."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rules.notify.notification import ACKNOWLEDGED, DeliveryFailed, Preview
from rules.notify.receivers.email.receiver import EmailKind, SmtpServer
from rules.notify.receivers.log.receiver import LogKind
from rules.notify.receivers.registry import InvalidReceiver, ReceiverRegistry, UnknownReceiverKind
from rules.services.receivers import receiver_registry
from tests.contracts.receiver_benches import BENCHES, HTTP_TROUBLES, OVER_HTTP, SECRET, SENDER, Bench
from tests.factories.notifications import make_notification
from tests.fakes.smtp_server import refuse_login, smtp_server

GOLDEN = Path(__file__).parents[1] / "golden" / "receivers"


@pytest.fixture(params=BENCHES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(kind: str) -> Iterator[Bench]:
    with BENCHES[kind]() as bench:
        yield bench


def test_every_folder_of_a_kind_is_tested():
    folders = Path(__file__).parents[2] / "rules" / "notify" / "receivers"
    kinds = {folder.parent.name for folder in folders.glob("*/receiver.py")}
    assert kinds == set(BENCHES)
    assert all((folders / kind / "README.md").is_file() for kind in kinds)
    page = (folders.parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    assert all(f"[`{kind}`](../rules/notify/receivers/{kind}/README.md)" in page for kind in kinds)


def test_a_delivery_has_a_receipt(bench: Bench):
    assert 0 < len(bench.send().text) <= 500
    assert len(bench.arrived()) == 1


def test_what_arrives_is_golden(bench: Bench, kind: str):
    bench.send()
    (arrived,) = bench.arrived()
    if os.environ.get("UPDATE_GOLDEN"):  # noqa: TID251 (a switch of the test run)
        (GOLDEN / f"{kind}.txt").write_text(arrived.strip() + "\n", encoding="utf-8")
    assert arrived.strip() == (GOLDEN / f"{kind}.txt").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("kind", receiver_registry().acknowledging())
def test_that_somebody_is_on_it_is_golden(bench: Bench, kind: str):
    bench.send(reason=ACKNOWLEDGED)
    (arrived,) = bench.arrived()
    golden = GOLDEN / f"{kind}.acknowledged.txt"
    if os.environ.get("UPDATE_GOLDEN"):  # noqa: TID251 (a switch of the test run)
        golden.write_text(arrived.strip() + "\n", encoding="utf-8")
    assert arrived.strip() == golden.read_text(encoding="utf-8").strip()


def test_a_repeat_carries_the_same_idempotency_key(bench: Bench):
    bench.send(idempotency_key="k-77")
    bench.send(idempotency_key="k-77")
    first, second = bench.arrived()
    assert "k-77" in first
    assert first == second


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"labels": {}, "annotations": {}}, id="no labels"),
        pytest.param({"value": None}, id="no value"),
        pytest.param({"labels": {"alertname": "a\r\nBcc: x@y.z\r\n\r\nhi\0\x0b"}}, id="control characters"),
        pytest.param({"annotations": {"summary": "é" * 5000 + "\r\n.\r\n\ud7ff😀"}}, id="long and not ASCII"),
    ],
)
def test_any_notification_arrives(bench: Bench, values: dict[str, Any]):
    bench.send(**values)
    (arrived,) = bench.arrived()
    assert "\nBcc:" not in arrived.partition("\n\n")[0]


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        pytest.param(kind, trouble, id=f"{kind}: {trouble}")
        for kind, troubles in {
            **{kind: list(HTTP_TROUBLES) for kind in OVER_HTTP},
            "apprise": ["503", "silent", "private address"],
            "email": [
                "all refused for good",
                "one greylisted",
                "message refused",
                "message deferred",
                "accepts then drops",
                "no server",
            ],
        }.items()
        for trouble in troubles
    ],
)
def test_trouble_is_failed_or_refused(bench: Bench, trouble: str):
    expected, bring_about = bench.troubles[trouble]
    bring_about()
    with pytest.raises(expected) as caught:
        bench.send()
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) <= 400


def test_a_preview_is_what_would_be_sent_and_sends_nothing(bench: Bench):
    shown = bench.preview()
    assert bench.arrived() == []
    assert SECRET not in str(shown)
    assert isinstance(shown, Preview)
    assert "HostDown" in shown.body
    assert shown.to
    assert shown.faults == ()


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"Retry-After": "17"}, 17.0, id="seconds"),
        pytest.param(
            {"Date": "Sun, 01 Mar 2026 12:00:00 GMT", "Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"},
            30.0,
            id="date",
        ),
        pytest.param({"Retry-After": "soon"}, None, id="neither"),
    ],
)
def test_how_long_to_wait_is_heard(bench: Bench, headers: dict[str, str], expected: float | None):
    bench.answer(status=429, headers=headers)
    with pytest.raises(DeliveryFailed) as caught:
        bench.send()
    assert caught.value.retry_after_s == expected


def test_an_unknown_setting_is_refused_without_showing_its_value(bench: Bench, kind: str):
    with pytest.raises(InvalidReceiver) as caught:
        bench.registry.open(kind, bench.config, bench.secrets | {"pasword": SECRET})
    assert list(caught.value.errors) == ["secrets.pasword"]
    assert SECRET not in str(caught.value)


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownReceiverKind, match="accepts log"):
        ReceiverRegistry([LogKind()]).open("pigeon", {}, {})


def test_mail_to_some_is_a_receipt_that_names_the_others():
    with ExitStack() as stack:
        mailbox = stack.enter_context(smtp_server())
        mailbox.recipients = {"gone@acme.example": "550 gone"}
        channel = ReceiverRegistry([EmailKind(SmtpServer("127.0.0.1", mailbox.port, SENDER))]).open(
            "email", {"to": ["a@acme.example", "gone@acme.example"]}, {}
        )
        receipt = channel.send(make_notification())
    assert "refused for gone@acme.example: 550 gone" in receipt.text
    assert len(mailbox.messages) == 1


def test_a_refused_login_is_the_operators_to_mend_and_hides_the_password():
    with smtp_server(authenticator=refuse_login, auth_require_tls=False) as mailbox:
        server = SmtpServer("127.0.0.1", mailbox.port, SENDER, user="alerts", password=SECRET)
        channel = ReceiverRegistry([EmailKind(server)]).open("email", {"to": ["a@acme.example"]}, {})
        with pytest.raises(DeliveryFailed) as caught:
            channel.send(make_notification())
    assert SECRET not in str(caught.value)
