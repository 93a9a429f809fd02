"""An SMTP server on a free loopback port that keeps what it takes and answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

OK = "250 OK"


@dataclass  # without slots: aiosmtpd looks at every attribute, which Python 3.11.2 refuses beside them
class FakeMailbox:
    """Answers by recipient and to the message; what was taken is in `messages`."""

    recipients: dict[str, str] = field(default_factory=dict)
    data: str = OK
    drops: bool = False
    """Hangs up after the message instead of answering."""
    messages: list[EmailMessage] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.recipients.get(address, OK)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.drops:
            assert server.transport is not None
            server.transport.close()
        elif self.data == OK:
            assert isinstance(envelope.content, bytes)
            self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.data


def refuse_login(*_: object) -> AuthResult:
    return AuthResult(success=False, handled=False)


class _OnFreePort(Controller):
    """The base class connects to the port it was given, which here is the one the system chose."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def smtp_server(**options: object) -> Iterator[FakeMailbox]:
    mailbox = FakeMailbox()
    controller = _OnFreePort(mailbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()
