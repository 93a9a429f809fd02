"""What the webhook reads in an answer, and what it refuses to be configured with."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import time

import pytest

from rules.notify.notification import DeliveryFailed
from rules.notify.posting import Poster
from rules.notify.receivers.registry import InvalidReceiver, ReceiverRegistry
from rules.notify.receivers.webhook.receiver import WebhookKind, payload_of, sign
from tests.factories.notifications import make_notification
from tests.fakes.http_server import Reply, http_server


@pytest.fixture(scope="module")
def registry() -> ReceiverRegistry:
    poster = Poster(
        lambda _: ["127.0.0.1"],
        allow_private=True,
        ssl_context=ssl.create_default_context(),
        monotonic=time.monotonic,
    )
    return ReceiverRegistry([WebhookKind(poster)])


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("120", 120.0, id="seconds"),
        pytest.param(None, None, id="none"),
        pytest.param("", None, id="empty"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", 0.0, id="date that is past"),
        pytest.param("Wed, 99 Oct 2026 07:28:00 GMT", None, id="date that is none"),
        pytest.param("\xb2", None, id="digit that is none"),
        pytest.param("9" * 400, float("inf"), id="endless"),
    ],
)
def test_retry_after(registry, header, expected):
    with http_server() as server:
        server.reply = Reply(503, {} if header is None else {"Retry-After": header})
        channel = registry.open("webhook", {"url": server.url()}, {})
        with pytest.raises(DeliveryFailed) as caught:
            channel.send(make_notification())
    assert caught.value.retry_after_s == expected


def test_the_signature_is_the_hmac_of_the_body():
    body = payload_of(make_notification())
    assert sign(body, "k" * 16) == hmac.new(b"k" * 16, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(0.5, 0.5, id="number"),
        pytest.param(None, None, id="none"),
        pytest.param(float("inf"), "+Inf", id="infinite"),
        pytest.param(float("nan"), "NaN", id="not a number"),
    ],
)
def test_the_payload_is_json_whatever_the_value(value, shown):
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads(payload_of(make_notification(value=value)), parse_constant=refuse)
    assert document["alerts"][0]["value"] == shown


@pytest.mark.parametrize(
    ("config", "secrets", "wrong"),
    [
        pytest.param({}, {}, "config.url", id="no URL"),
        pytest.param({"url": "ftp://a.example"}, {}, "config.url", id="other scheme"),
        pytest.param({"url": "http://user:hunter2@a.example"}, {}, "config.url", id="credentials in the URL"),
        pytest.param({"url": "http://a.example", "timeout_s": 61}, {}, "config.timeout_s", id="too patient"),
        pytest.param(
            {"url": "http://a.example"}, {"signing_key": "hunter2"}, "secrets.signing_key", id="key"
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(registry, config, secrets, wrong):
    with pytest.raises(InvalidReceiver) as caught:
        registry.open("webhook", config, secrets)
    assert list(caught.value.errors) == [wrong]
    assert "hunter2" not in str(caught.value)
