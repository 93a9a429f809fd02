"""Messages published by Amazon SNS: to a topic, or as a short message."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final
from urllib.parse import urlencode

from rules.notify.answers import check, quoted, retry_after_s
from rules.notify.message_templates import fill, fill_title
from rules.notify.notification import (
    Channel,
    DeliveryFailed,
    InvalidReceiver,
    Notification,
    Receipt,
)
from rules.notify.posting import Content, Poster
from rules.notify.receivers.sns.config import SnsConfig, SnsSecrets
from rules.notify.receivers.sns.signing import Signer
from rules.notify.requesting import FORM, HttpChannel, Outgoing
from rules.notify.texts import PLAIN, cut, default_text, short_text

MAX_SUBJECT: Final = 100
MAX_MESSAGE_BYTES: Final = 256_000
MAX_SMS: Final = 1_600
_MESSAGE_ID: Final = re.compile(rb"<MessageId>([\w-]{1,100})</MessageId>")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class SnsKind:
    """`sns`: a message to a topic's subscribers or to one telephone."""

    poster: Poster
    now: Callable[[], datetime]
    api_url: str = ""
    """Instead of that of the region."""

    name: ClassVar[str] = "sns"
    config: ClassVar = SnsConfig
    secrets: ClassVar = SnsSecrets

    def open(self, config: SnsConfig, secrets: SnsSecrets) -> Channel:
        """A channel to one topic or telephone."""
        if (config.topic_arn is None) == (config.phone_number is None):
            raise InvalidReceiver({"config": "needs either `topic_arn` or `phone_number`"})
        domain = "amazonaws.com.cn" if config.region.startswith("cn-") else "amazonaws.com"
        url = self.api_url or f"https://sns.{config.region}.{domain}/"
        return HttpChannel(self.poster, secrets, _Request(config, url, self.now).outgoing, accepted, judge)


@dataclass(frozen=True, slots=True)
class _Request:
    config: SnsConfig
    url: str
    now: Callable[[], datetime]

    def outgoing(self, notification: Notification, secrets: SnsSecrets) -> Outgoing:
        """The signed request of a notification."""
        fields, faults = self._fields(notification)
        body = urlencode(fields).encode()
        signer = Signer(
            secrets.access_key_id,
            secrets.secret_access_key,
            secrets.session_token,
            self.config.region,
            "sns",
        )
        headers = signer.headers(self.url, body, FORM, self.now().astimezone(UTC))
        return Outgoing(self.url, body, FORM, headers, faults)

    def _fields(self, notification: Notification) -> tuple[dict[str, str], tuple[str, ...]]:
        config = self.config
        fields = {"Action": "Publish", "Version": "2010-03-31"}
        if config.phone_number is not None:
            text = fill("text", config.text, notification, partial(short_text, notification, MAX_SMS))
            ending = "".join(f"\n{fault}" for fault in text.faults)
            message = _as_xml_can_hold(cut(text.text, MAX_SMS, ending=ending))
            return fields | {"PhoneNumber": config.phone_number, "Message": message}, text.faults
        title = fill_title(config, notification)
        default = partial(default_text, notification, PLAIN, MAX_MESSAGE_BYTES // 4)
        text = fill("text", config.text, notification, default)
        faults = (*title.faults, *text.faults)
        ending = "".join(f"\n{fault}" for fault in faults)
        fields |= {
            "TopicArn": config.topic_arn or "",
            "Subject": _subject(title.text),
            "Message": _as_xml_can_hold(cut(text.text, MAX_MESSAGE_BYTES, ending=ending, size=_utf8_bytes)),
        }
        if fields["TopicArn"].endswith(".fifo"):
            fields["MessageGroupId"] = "alertsite"
            fields["MessageDeduplicationId"] = _deduplication_id(notification.idempotency_key)
        return fields, faults


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _subject(title: str) -> str:
    """SNS takes printable ASCII that begins with a letter, digit or mark, shorter than 100."""
    ascii_only = title.encode("ascii", "replace").decode()
    return ascii_only.strip()[: MAX_SUBJECT - 1] or "alert"


def _as_xml_can_hold(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _deduplication_id(key: str) -> str:
    """At most 128 letters, digits and marks: within five minutes SNS drops what has the same."""
    return re.sub(r"[^\w!-/:-@\[-`{-~]", "-", key, flags=re.ASCII)[:128]


def judge(answer: Content) -> None:
    """As everywhere, but that being asked to slow down may have the status 400."""
    if b"<Code>Throttl" in answer.body:
        raise DeliveryFailed(f"HTTP {answer.status}: {quoted(answer)}", retry_after_s=retry_after_s(answer))
    check(answer)


def accepted(answer: Content) -> Receipt:
    """SNS names the message."""
    found = _MESSAGE_ID.search(answer.body)
    return Receipt(f"HTTP {answer.status}, message {found[1].decode() if found else '?'}")
