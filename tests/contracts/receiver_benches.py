"""Every kind of receiver with a real server of its own protocol on the other side."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest
import structlog.testing

from rules.notify.addresses import resolve
from rules.notify.notification import DeliveryFailed, DeliveryRefused, Preview, Receipt, ReceiverKind
from rules.notify.posting import Content, Poster, Sending
from rules.notify.receivers.alertmanager.receiver import AlertmanagerKind
from rules.notify.receivers.apprise.receiver import AppriseKind
from rules.notify.receivers.discord.receiver import DiscordKind
from rules.notify.receivers.email.receiver import EmailKind, SmtpServer
from rules.notify.receivers.log.receiver import LogKind
from rules.notify.receivers.msteams.receiver import TeamsKind
from rules.notify.receivers.opsgenie.receiver import OpsgenieKind
from rules.notify.receivers.pagerduty.receiver import PagerDutyKind
from rules.notify.receivers.registry import ReceiverRegistry
from rules.notify.receivers.slack.receiver import SlackKind
from rules.notify.receivers.sns.receiver import SnsKind
from rules.notify.receivers.telegram.receiver import TelegramKind
from rules.notify.receivers.twilio.receiver import TwilioKind
from rules.notify.receivers.webhook.receiver import WebhookKind
from tests.factories.notifications import make_notification
from tests.factories.rows import NOON
from tests.fakes.http_server import Arrived, FakeHTTPServer, Reply, http_server
from tests.fakes.smtp_server import smtp_server

SECRET = "a-signing-key-nobody-may-see"
TELEGRAM_TOKEN = f"1234:{SECRET}"
SENDER = "Alerts <alerts@acme.example>"
ACCOUNT = "AC" + "0" * 32
HTTP_TROUBLES: dict[str, tuple[type[Exception], dict[str, Any]]] = {
    "429": (DeliveryFailed, {"status": 429}),
    "503": (DeliveryFailed, {"status": 503, "body": SECRET.encode()}),
    "400": (DeliveryRefused, {"status": 400, "body": f"no {SECRET}".encode()}),
    "redirect": (DeliveryRefused, {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}),
    "silent": (DeliveryFailed, {"silent": True}),
    "broken off": (DeliveryFailed, {"status": 200, "body": b"half", "missing": 10}),
}
"""Ways in which any HTTP server may fail."""


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

    answer: Callable[..., None] = lambda **reply: None
    """Tells an HTTP server what to answer from now on."""

    def preview(self, **values: Any) -> Preview:
        (kind,) = self.registry.names()
        return self.registry.open(kind, self.config, self.secrets).preview(make_notification(**values))

    def send(self, **values: Any) -> Receipt:
        (kind,) = self.registry.names()
        return self.registry.open(kind, self.config, self.secrets).send(make_notification(**values))


class HastyPoster(Poster):
    """Waits half a second for what would be waited for in earnest for ten."""

    def fetch(self, sending: Sending, *, timeout_s: float, max_bytes: int) -> Content:
        return super().fetch(sending, timeout_s=min(timeout_s, 0.5), max_bytes=max_bytes)


def poster(**values: Any) -> Poster:
    values = {
        "resolver": resolve,
        "allow_private": True,
        "ssl_context": ssl.create_default_context(),
        "monotonic": time.monotonic,
    } | values
    return HastyPoster(**values)


def shown_request(request: Arrived) -> str:
    headers = sorted(f"{name}: {value}" for name, value in request.headers.items() if name != "Host")
    text = "\n".join([f"POST {request.path}", *headers, "", request.body.decode()])
    return re.sub("Signature=[0-9a-f]{64}", "Signature=of the port, too", text)


@dataclass(frozen=True, slots=True)
class OverHttp:
    """How a kind is opened against a server, and what that server answers when all is well."""

    kind: Callable[[str], ReceiverKind]
    """Of the server's root."""
    config: Callable[[str], dict[str, Any]] = lambda root: {}
    secrets: Callable[[str], dict[str, Any]] = lambda root: {}
    answer: Any = None

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        with http_server() as server:
            root = server.url().removesuffix("/hook")
            self._answer_with(server, status=200, body=self._good())
            bench = Bench(
                ReceiverRegistry([self.kind(root)]),
                self.config(root),
                lambda: list(map(shown_request, server.arrived)),
                secrets=self.secrets(root),
                answer=partial(self._answer_with, server),
            )
            for name, (error, reply) in HTTP_TROUBLES.items():
                bench.troubles[name] = (error, partial(self._answer_with, server, **reply))
            yield bench

    def _good(self) -> bytes:
        return (
            self.answer.encode() if isinstance(self.answer, str) else json.dumps(self.answer or {}).encode()
        )

    @staticmethod
    def _answer_with(server: FakeHTTPServer, **reply: Any) -> None:
        server.reply = Reply(**reply)


OVER_HTTP = {
    "alertmanager": OverHttp(
        lambda root: AlertmanagerKind(poster(), lambda: NOON),
        lambda root: {"url": f"{root}/am/"},
        lambda root: {"bearer_token": SECRET},
    ),
    "discord": OverHttp(
        lambda root: DiscordKind(poster()),
        secrets=lambda root: {"webhook_url": f"{root}/api/webhooks/1/{SECRET}"},
        answer={"id": "1133557799", "channel_id": "2", "type": 0},
    ),
    "msteams": OverHttp(
        lambda root: TeamsKind(poster()),
        secrets=lambda root: {"webhook_url": f"{root}/workflows/1/triggers/manual/run?sig={SECRET}"},
        answer="1",
    ),
    "opsgenie": OverHttp(
        lambda root: OpsgenieKind(poster(), root),
        lambda root: {"responders": [{"type": "team", "name": "ops"}], "tags": ["alertsite"]},
        lambda root: {"api_key": SECRET},
        {"result": "Request will be processed", "took": 0.302, "requestId": "43a29c5c-3dbf-4fa4-9c26"},
    ),
    "pagerduty": OverHttp(
        lambda root: PagerDutyKind(poster(), root),
        secrets=lambda root: {"routing_key": SECRET},
        answer={"status": "success", "message": "Event processed", "dedup_key": "samplekeyhere"},
    ),
    "slack": OverHttp(
        lambda root: SlackKind(poster(), f"{root}/api"),
        lambda root: {"channel": "C123"},
        lambda root: {"token": SECRET},
        {"ok": True, "channel": "C123", "ts": "1503435956.000247"},
    ),
    "sns": OverHttp(
        lambda root: SnsKind(poster(), lambda: NOON, f"{root}/"),
        lambda root: {"region": "eu-west-3", "topic_arn": "arn:aws:sns:eu-west-3:123456789012:alerts.fifo"},
        lambda root: {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET},
        "<PublishResponse><PublishResult><MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId>"
        "</PublishResult></PublishResponse>",
    ),
    "telegram": OverHttp(
        lambda root: TelegramKind(poster(), root),
        lambda root: {"chat_id": -1001},
        lambda root: {"token": TELEGRAM_TOKEN},
        {"ok": True, "result": {"message_id": 42}},
    ),
    "twilio": OverHttp(
        lambda root: TwilioKind(poster(), root),
        lambda root: {"account_sid": ACCOUNT, "to": "+33612345678", "sender": "+15005550006"},
        lambda root: {"auth_token": SECRET},
        {"sid": "SM1234", "status": "queued"},
    ),
    "webhook": OverHttp(
        lambda root: WebhookKind(poster()),
        lambda root: {"url": f"{root}/hook", "timeout_s": 0.5},
        lambda root: {"signing_key": SECRET},
    ),
}
"""Kinds that deliver with one HTTP request."""


def shown_mail(message: EmailMessage) -> str:
    headers = [f"{name}: {value}" for name, value in message.items()]
    parts = [part.get_content().replace("\r\n", "\n") for part in message.iter_parts()]
    return "\n".join([*headers, "", *parts])


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


@contextmanager
def apprise() -> Iterator[Bench]:
    pytest.importorskip("apprise", reason="the extra `apprise` is not installed")
    with http_server() as server:
        bench = Bench(
            ReceiverRegistry([AppriseKind(allow_private=True, timeout_s=20)]),
            {},
            lambda: list(map(shown_request, server.arrived)),
            secrets={"url": server.url().replace("http:", "json:") + f"?+X-Key={SECRET}"},
        )

        def guards() -> None:
            bench.registry = ReceiverRegistry([AppriseKind(allow_private=False)])

        def hurries() -> None:
            server.reply = Reply(silent=True)
            bench.registry = ReceiverRegistry([AppriseKind(allow_private=True, timeout_s=1.0)])

        bench.troubles = {
            "503": (DeliveryFailed, lambda: setattr(server, "reply", Reply(503))),
            "silent": (DeliveryFailed, hurries),
            "private address": (DeliveryRefused, guards),
        }
        yield bench


BENCHES = {"apprise": apprise, "email": email, "log": log} | {
    name: kind.bench for name, kind in OVER_HTTP.items()
}
