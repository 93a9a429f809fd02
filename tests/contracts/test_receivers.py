"""What every kind of receiver must do, each against a real server of its own protocol."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from rules.notify.addresses import resolve
from rules.notify.notification import DeliveryFailed, DeliveryRefused, Receipt
from rules.notify.posting import Poster
from rules.notify.receivers.email.receiver import EmailKind, SmtpServer
from rules.notify.receivers.log.receiver import LogKind
from rules.notify.receivers.registry import InvalidReceiver, ReceiverRegistry, UnknownReceiverKind
from rules.notify.receivers.webhook.receiver import WebhookKind
from tests.factories.notifications import make_notification
from tests.fakes.http_server import Reply, http_server
from tests.fakes.smtp_server import refuse_login, smtp_server

GOLDEN = Path(__file__).parents[1] / "golden" / "receivers"
SECRET = "a signing key nobody may see"
SENDER = "Alerts <alerts@acme.example>"


@dataclass(slots=True)
class Bench:
    """One kind with its other side."""

    registry: ReceiverRegistry
    config: dict[str, Any]
    arrived: Callable[[], list[str]]
    """What has reached the other side, as text that can be compared."""
    secrets: dict[str, Any] = field(default_factory=dict)
    troubles: dict[str, tuple[type[Exception], Callable[[], None]]] = field(default_factory=dict)
    """Ways to fail, what each must raise, and how to bring it about."""

    def send(self, **values: Any) -> Receipt:
        (kind,) = self.registry.names()
        return self.registry.open(kind, self.config, self.secrets).send(make_notification(**values))


def poster(**values: Any) -> Poster:
    values = {
        "resolver": resolve,
        "allow_private": True,
        "ssl_context": ssl.create_default_context(),
        "monotonic": time.monotonic,
    } | values
    return Poster(**values)


@contextmanager
def webhook() -> Iterator[Bench]:
    with http_server() as server:

        def shown() -> list[str]:
            return [
                "\n".join(
                    [
                        f"POST {request.path}",
                        *sorted(f"{k}: {v}" for k, v in request.headers.items() if k != "Host"),
                        "",
                        request.body.decode(),
                    ]
                )
                for request in server.arrived
            ]

        def answers(**reply: Any) -> Callable[[], None]:
            return lambda: setattr(server, "reply", Reply(**reply))

        bench = Bench(
            ReceiverRegistry([WebhookKind(poster())]),
            {"url": server.url(), "timeout_s": 0.5},
            shown,
            secrets={"signing_key": SECRET},
        )
        bench.troubles = {
            "429": (DeliveryFailed, answers(status=429)),
            "503": (DeliveryFailed, answers(status=503)),
            "400": (DeliveryRefused, answers(status=400, body=b"no")),
            "redirect": (DeliveryRefused, answers(status=302, headers={"Location": "http://127.0.0.1:1/"})),
            "silent": (DeliveryFailed, answers(silent=True)),
            "broken off": (DeliveryFailed, answers(status=200, body=b"half", missing=10)),
        }
        yield bench


def shown_mail(message: EmailMessage) -> str:
    headers = [f"{name}: {value}" for name, value in message.items()]
    return "\n".join([*headers, "", message.get_content().replace("\r\n", "\n")])


@contextmanager
def email() -> Iterator[Bench]:
    with smtp_server() as mailbox:
        server = SmtpServer("127.0.0.1", mailbox.port, SENDER, timeout_s=5)

        def answers(**values: Any) -> Callable[[], None]:
            return lambda: [setattr(mailbox, name, value) for name, value in values.items()] and None

        def moves_away() -> None:
            bench.registry = ReceiverRegistry([EmailKind(SmtpServer("127.0.0.1", 1, SENDER))])

        to = ["on-call@acme.example", "boss@acme.example"]
        bench = Bench(
            ReceiverRegistry([EmailKind(server)]),
            {"to": to},
            lambda: list(map(shown_mail, mailbox.messages)),
        )
        bench.troubles = {
            "all refused for good": (DeliveryRefused, answers(recipients=dict.fromkeys(to, "550 unknown"))),
            "one greylisted": (DeliveryFailed, answers(recipients={to[0]: "451 later"})),
            "message refused": (DeliveryRefused, answers(data="554 spam")),
            "message deferred": (DeliveryFailed, answers(data="452 full")),
            "accepts then drops": (DeliveryFailed, answers(drops=True)),
            "no server": (DeliveryFailed, moves_away),
        }
        yield bench


@contextmanager
def log() -> Iterator[Bench]:
    with structlog.testing.capture_logs() as lines:
        yield Bench(ReceiverRegistry([LogKind()]), {}, lambda: [str(sorted(line.items())) for line in lines])


BENCHES = {"email": email, "log": log, "webhook": webhook}


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


def test_a_delivery_has_a_receipt(bench: Bench):
    assert 0 < len(bench.send().text) <= 500
    assert len(bench.arrived()) == 1


def test_what_arrives_is_golden(bench: Bench, kind: str):
    bench.send()
    (arrived,) = bench.arrived()
    if os.environ.get("UPDATE_GOLDEN"):  # noqa: TID251 (a switch of the test run)
        (GOLDEN / f"{kind}.txt").write_text(arrived.strip() + "\n", encoding="utf-8")
    assert arrived.strip() == (GOLDEN / f"{kind}.txt").read_text(encoding="utf-8").strip()


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
            "webhook": ["429", "503", "400", "redirect", "silent", "broken off"],
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
