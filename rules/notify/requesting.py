"""The channel of every kind that delivers with one HTTP request.

A kind says how a notification becomes a request, and what a good answer is; sending, judging the answer and
previewing are the same for all. Refuses nothing by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel

from rules.notify.answers import check
from rules.notify.notification import DeliveryFailed, DeliveryRefused, Notification, Preview, Receipt
from rules.notify.posting import Content, Poster, Sending

SecretsT = TypeVar("SecretsT", bound=BaseModel)

TIMEOUT_S: Final = 10.0
"""For the whole exchange, from the connection to the end of the answer."""
MAX_ANSWER_BYTES: Final = 65_536
MASK: Final = "********"
"""Stands where a preview would show a secret."""
MIN_PART: Final = 12
"""Characters of a part of a secret, such as a URL's last segment, that is worth hiding by itself."""
_BETWEEN_PARTS: Final = re.compile("[/?&=:]")
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request that carries a notification."""

    url: str
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """Templates that could not be filled."""


def accepted(answer: Content) -> Receipt:
    """The receipt of a service whose status says it all."""
    return Receipt(f"HTTP {answer.status}")


@dataclass(frozen=True, slots=True)
class HttpChannel(Generic[SecretsT]):
    """Sends a notification with one POST.

    Attributes
    ----------
    compose
        The request of a notification, made with these secrets.
    accept
        The receipt of an answer that is not an error by its status. May still raise `DeliveryFailed` or
        `DeliveryRefused`.
    judge
        Raises them for what is an error by its status.
    """

    poster: Poster
    secrets: SecretsT
    compose: Callable[[Notification, SecretsT], Outgoing]
    accept: Callable[[Content], Receipt] = accepted
    judge: Callable[[Content], None] = check
    timeout_s: float = TIMEOUT_S

    def send(self, notification: Notification) -> Receipt:
        """Post once. A receipt is a good answer that came whole."""
        outgoing = self.compose(notification, self.secrets)
        headers = {
            "Content-Type": outgoing.content_type,
            "Idempotency-Key": notification.idempotency_key,
            "User-Agent": "alertsite",
            **outgoing.headers,
        }
        sending = Sending("POST", outgoing.url, headers, outgoing.body)
        answer = self.poster.fetch(sending, timeout_s=self.timeout_s, max_bytes=MAX_ANSWER_BYTES)
        try:
            self.judge(answer)
            return self.accept(answer)
        except DeliveryFailed as error:
            reason = without(self.secrets, str(error))
            raise DeliveryFailed(reason, retry_after_s=error.retry_after_s) from None
        except DeliveryRefused as error:
            raise DeliveryRefused(without(self.secrets, str(error))) from None

    def preview(self, notification: Notification) -> Preview:
        """The request, made with masks for secrets: none can be in it."""
        outgoing = self.compose(notification, masked(self.secrets))
        body = outgoing.body.decode(errors="replace")
        if outgoing.content_type.startswith(JSON):
            body = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
        return Preview(f"POST {outgoing.url}", outgoing.content_type, body, outgoing.faults)


def masked(secrets: SecretsT) -> SecretsT:
    """The secrets with a mask for each text."""
    return secrets.model_copy(update={name: MASK for name, value in secrets if isinstance(value, str)})


def without(secrets: BaseModel, text: str) -> str:
    """A text in which another server may have repeated a secret, or a part of one, with masks instead."""
    for _, value in secrets:
        if isinstance(value, str):
            parts = [part for part in _BETWEEN_PARTS.split(value) if len(part) >= MIN_PART]
            for part in filter(None, [value, *parts]):
                text = text.replace(part, MASK)
    return text


def to_json(document: Any) -> bytes:
    """A document on the wire: keys in their order, nothing between, ASCII."""
    return json.dumps(document, separators=(",", ":")).encode()
