"""A program that sends one message by Apprise, guarded so that it can do nothing else.

A task comes in on standard input as JSON: `url`, `title`, `body`, `type`, `allow_private`. A line of JSON
goes out: `outcome` (`sent`, `failed`, `refused`), `reason`, `service`. Apprise makes its connections itself,
follows redirects and looks names up again; so the guard stands below it, in the interpreter's audit events:
each connection is checked where it opens, by its address. Files that are not of the installation, other
programs and the system's log are refused.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import sysconfig
from dataclasses import dataclass, field
from typing import Any, Final

import apprise

from alertsite.core.addresses import is_public

_FORBIDDEN: Final = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "syslog.", "pty.")
"""Beginnings of audit events of what a message never needs."""
_NETWORK: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_READABLE: Final = (
    *(os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    "/etc/ssl",
    "/etc/mime.types",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/dev/null",
    "/dev/urandom",
)


@dataclass(slots=True)
class Guard:
    """What stands between Apprise and the machine: a hook for audit events that raises `PermissionError`."""

    allow_private: bool
    refused: list[str] = field(default_factory=list)
    """What it stopped, in words."""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at one event."""
        if event in _NETWORK:
            self._check_address(arguments[1])
        elif event == "open":
            self._check_file(*arguments[:2])
        elif event.startswith(_FORBIDDEN):
            self._refuse(f"{event} is not allowed")

    def _check_address(self, address: Any) -> None:
        """An address of the internet is a tuple that begins with the host; a local socket has a path."""
        if address is None:  # of a socket that is connected, and was checked then
            return
        if not isinstance(address, tuple):
            self._refuse("a local socket is not allowed")
        try:
            public = is_public(str(address[0]))
        except ValueError:  # a name, which would be looked up where nobody looks on
            public = False
        if not public and not self.allow_private:
            self._refuse("the service has an address that is not public")

    def _check_file(self, path: Any, mode: Any) -> None:
        if isinstance(path, int):
            return
        real = os.path.realpath(os.fsdecode(path))
        writes = isinstance(mode, str) and bool(set(mode) & set("wax+"))
        if writes or not any(real == root or real.startswith(f"{root}/") for root in _READABLE if root):
            self._refuse("a file of the platform's machine is not allowed")

    def _refuse(self, reason: str) -> None:
        self.refused.append(reason)
        raise PermissionError(reason)


def main(task: dict[str, Any]) -> dict[str, str]:
    """Send, and say what became of it."""
    guard = Guard(task["allow_private"])
    sys.addaudithook(guard)
    service = apprise.Apprise.instantiate(task["url"], suppress_exceptions=True)
    if service is None:
        return {"outcome": "refused", "reason": "Apprise does not know such a URL"}
    sender = apprise.Apprise()
    sender.add(service)
    body = shortened(task["body"], service.body_maxlen)
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:
        result = sender.notify(title=task["title"], body=body, notify_type=task["type"], body_format="text")
        reason = log.getvalue().strip()
    if result:  # an object that says with its truth whether it was sent
        return {"outcome": "sent", "service": str(service.service_name)}
    if guard.refused:
        return {"outcome": "refused", "reason": guard.refused[0]}
    return {"outcome": "failed", "reason": reason}


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters; a longer one says how much is missing."""
    if len(text) <= limit:
        return text
    note = f"… ({len(text)} characters in all)"
    return text[: max(0, limit - len(note))] + note


if __name__ == "__main__":
    print(json.dumps(main(json.load(sys.stdin))))  # noqa: T201 (a program: this is its answer)
