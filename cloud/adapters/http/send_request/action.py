"""`send_request` by HTTP."""

from __future__ import annotations

from typing import ClassVar, Protocol

from cloud.adapters.calling import Reply
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Request, Word


class _Session(Protocol):
    base: str

    def check_allowed(self, method: str, path: str) -> None: ...

    def send(self, method: str, path: str, body: bytes = b"", *, key: str = "") -> Reply: ...


class SendRequest(Doing):
    """Nobody can tell what a request did, so it is not sent again when its answer was lost."""

    word: ClassVar[Word] = VOCABULARY["send_request"]
    permissions: ClassVar[tuple[str, ...]] = ("the account's list `allow`",)
    repeat: ClassVar[Repeat] = Repeat.NEVER

    def look(self, session: _Session, parameters: Request) -> Sight:
        """Whether it is allowed; nothing is sent."""
        session.check_allowed(parameters.method, parameters.path)
        address = session.base + parameters.path
        return Sight((address,), change=f"{parameters.method} {address}")

    def act(self, session: _Session, parameters: Request, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Send it, with the key as `Idempotency-Key`."""
        session.check_allowed(parameters.method, parameters.path)
        reply = session.send(parameters.method, parameters.path, parameters.body.encode(), key=key)
        return Receipt({"status": reply.status}, reply.headers.get("x-request-id", ""))

    def progress(self, session: _Session, parameters: Request, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Answered is done."""
        return Progress(Stage.DONE, f"answered {receipt.operation['status']}")
