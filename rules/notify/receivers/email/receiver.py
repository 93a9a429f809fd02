"""Mail by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import ClassVar, TypeAlias

from rules.notify.notification import (
    Channel,
    DeliveryFailed,
    DeliveryRefused,
    Notification,
    Preview,
    Receipt,
)
from rules.notify.receivers.email.config import EmailConfig, EmailSecrets
from rules.notify.receivers.email.message import message_of, words_of

TEMPORARY = range(400, 500)
Refusals: TypeAlias = Mapping[str, tuple[int, bytes | str]]
"""Answers of the server by recipient."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The server every e-mail receiver sends through."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    starttls: bool = False
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class EmailKind:
    """`email`: a message, plain and HTML, to one or more addresses."""

    server: SmtpServer

    name: ClassVar[str] = "email"
    config: ClassVar = EmailConfig
    secrets: ClassVar = EmailSecrets

    def open(self, config: EmailConfig, secrets: EmailSecrets) -> Channel:  # noqa: ARG002 (it has none)
        """A channel to a list of addresses."""
        return EmailChannel(self.server, config)


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """Sends through the operator's server, one connection a message."""

    server: SmtpServer
    config: EmailConfig

    def send(self, notification: Notification) -> Receipt:
        """Hand the message over. The receipt names the Message-ID, which is the same on a retry.

        Only an answer about this message or its recipients refuses it for good. What concerns the server (its
        greeting, the login, the sender) is the operator's to mend, and is tried again.
        """
        message = message_of(notification, self.server.sender, self.config)
        try:
            refused = hand_over(self.server, message, self.config.to)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPDataError as error:
            raise _failure(f"SMTP {error.smtp_code}: {_text(error.smtp_error)}", [error.smtp_code]) from None
        except smtplib.SMTPAuthenticationError as error:
            raise DeliveryFailed(f"SMTP {error.smtp_code}: the server refuses the login") from None
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}"[:300]) from None
        return _judge(message, refused, count=len(self.config.to))

    def preview(self, notification: Notification) -> Preview:
        """The message, headers first."""
        words = words_of(notification, self.config)
        message = message_of(notification, self.server.sender, self.config)
        headers = "".join(f"{name}: {value}\n" for name, value in message.items())
        parts = "\n".join(
            f"--- {kind} ---\n{text}" for kind, text in [("text", words.text), ("html", words.html)]
        )
        return Preview(", ".join(self.config.to), "message/rfc822", f"{headers}\n{parts}", words.faults)


def hand_over(server: SmtpServer, message: EmailMessage, recipients: Sequence[str]) -> Refusals:
    """Send, and say which recipients were refused. Once the server has taken it, nothing else matters."""
    connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
    try:
        if server.starttls:
            connection.starttls(context=ssl.create_default_context())
        if server.user:
            connection.login(server.user, server.password)
        refused = connection.send_message(message, to_addrs=list(recipients))
        with suppress(smtplib.SMTPException, OSError):
            connection.quit()
        return refused
    finally:
        connection.close()


def _judge(message: EmailMessage, refused: Refusals, *, count: int) -> Receipt:
    """A receipt if anybody gets the message and nobody might get it later."""
    answers = "; ".join(f"{address}: {code} {_text(text)}" for address, (code, text) in refused.items())
    codes = [code for code, _ in refused.values()]
    if codes and (len(refused) == count or any(code in TEMPORARY for code in codes)):
        raise _failure(f"refused for {answers}"[:300], codes)
    return Receipt(f"accepted {message['Message-ID']}" + (f", refused for {answers}" if refused else ""))


def _failure(reason: str, codes: list[int]) -> DeliveryFailed | DeliveryRefused:
    temporary = any(code in TEMPORARY for code in codes)
    return DeliveryFailed(reason) if temporary else DeliveryRefused(reason)


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
