"""Mail by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha256
from typing import ClassVar

from rules.notify.notification import Channel, DeliveryFailed, DeliveryRefused, Notification, Receipt
from rules.notify.receivers.email.config import EmailConfig, EmailSecrets

TEMPORARY = range(400, 500)


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
    """`email`: a plain-text message to one or more addresses."""

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
        """Hand the message over. The receipt names the Message-ID, which is the same on a retry."""
        message = message_of(notification, self.server.sender, self.config.to)
        try:
            self._hand_over(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            _fail(
                f"every recipient was refused: {sorted(codes)}",
                temporary=any(code in TEMPORARY for code in codes),
            )
        except smtplib.SMTPResponseException as error:
            _fail(
                f"SMTP {error.smtp_code}: {_text(error.smtp_error)}", temporary=error.smtp_code in TEMPORARY
            )
        except (smtplib.SMTPException, OSError) as error:
            _fail(f"{type(error).__name__}: {error}"[:300], temporary=True)
        return Receipt(f"accepted {message['Message-ID']}")

    def _hand_over(self, message: EmailMessage) -> None:
        server = self.server
        with smtplib.SMTP(server.host, server.port, timeout=server.timeout_s) as connection:
            if server.starttls:
                connection.starttls(context=ssl.create_default_context())
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(message)


def _fail(reason: str, *, temporary: bool) -> None:
    raise DeliveryFailed(reason) if temporary else DeliveryRefused(reason)


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def message_of(notification: Notification, sender: str, to: list[str]) -> EmailMessage:
    """The message of a notification. Control characters in labels cannot break headers."""
    message = EmailMessage()
    message["Subject"] = " ".join(notification.title.split())
    message["From"] = sender
    message["To"] = ", ".join(to)
    digest = sha256(notification.idempotency_key.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2]}>"
    message["X-Idempotency-Key"] = notification.idempotency_key
    message.set_content(_text_of(notification))
    return message


def _text_of(notification: Notification) -> str:
    lines = [notification.title, "", f"state: {notification.state} since {notification.at}"]
    if notification.value is not None:
        lines.append(f"value: {notification.value:g}")
    lines += [f"{name}: {value}" for name, value in sorted(notification.annotations.items())]
    lines += ["", "labels:"]
    lines += [f"  {name} = {value}" for name, value in sorted(notification.labels.items())]
    return "\n".join([*lines, "", notification.url, ""])
