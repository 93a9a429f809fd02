"""Messages to any service that Apprise knows, sent by a process of its own that may do nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Final

from rules.notify.message_templates import fill, fill_title
from rules.notify.notification import (
    FIRING,
    Channel,
    DeliveryFailed,
    DeliveryRefused,
    InvalidReceiver,
    Notification,
    Preview,
    Receipt,
)
from rules.notify.receivers.apprise.config import AppriseConfig, AppriseSecrets
from rules.notify.requesting import MASK, without
from rules.notify.texts import PLAIN, cut, default_text

TIMEOUT_S: Final = 30.0
"""For the whole process: it takes a quarter of a second to start."""
MAX_TEXT: Final = 30_000
MAX_TITLE: Final = 250
_PROGRAM: Final = Path(__file__).with_name("sender.py")
_ENVIRONMENT: Final = {
    "PYTHONPATH": str(Path(__file__).parents[4]),
    "PYTHONDONTWRITEBYTECODE": "1",
    "HOME": "/nonexistent",  # no .netrc of the platform's user
}


@dataclass(frozen=True, slots=True)
class AppriseKind:
    """`apprise`: a message to the service that a URL names."""

    allow_private: bool
    timeout_s: float = TIMEOUT_S

    name: ClassVar[str] = "apprise"
    config: ClassVar = AppriseConfig
    secrets: ClassVar = AppriseSecrets

    def open(self, config: AppriseConfig, secrets: AppriseSecrets) -> Channel:
        """A channel to one service."""
        if find_spec("apprise") is None:
            raise InvalidReceiver({"kind": "this installation lacks the extra `apprise`"})
        return AppriseChannel(self, config, secrets)


@dataclass(frozen=True, slots=True)
class AppriseChannel:
    """Hands a message to the process."""

    kind: AppriseKind
    config: AppriseConfig
    secrets: AppriseSecrets

    def send(self, notification: Notification) -> Receipt:
        """Send once. Apprise hardly says why it could not: that may be tried again."""
        message, _ = self._message(notification)
        said = self._run(message | {"url": self.secrets.url, "allow_private": self.kind.allow_private})
        reason = without(self.secrets, str(said.get("reason", "")))[:300]
        if said.get("outcome") == "refused":
            raise DeliveryRefused(reason)
        if said.get("outcome") != "sent":
            raise DeliveryFailed(reason or "Apprise could not send it")
        return Receipt(f"Apprise handed it to {said.get('service', '?')}"[:500])

    def preview(self, notification: Notification) -> Preview:
        """Title and text; the service may change their form."""
        message, faults = self._message(notification)
        scheme = self.secrets.url.partition("://")[0]
        return Preview(f"{scheme}://{MASK}", "text/plain", f"{message['title']}\n\n{message['body']}", faults)

    def _message(self, notification: Notification) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What the process is given, and the faults of the templates. The key tells a person of a repeat."""
        title = fill_title(self.config, notification)
        default = partial(default_text, notification, PLAIN, MAX_TEXT // 2)
        text = fill("text", self.config.text, notification, default)
        faults = (*title.faults, *text.faults)
        ending = "".join(f"\n{line}" for line in (*faults, f"Message {notification.idempotency_key}"))
        return {
            "title": cut(title.text, MAX_TITLE),
            "body": cut(text.text, MAX_TEXT, ending=f"\n{ending}"),
            "type": "failure" if notification.state == FIRING else "success",
        }, faults

    def _run(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """One run of the program, with nothing of our environment."""
        try:
            done = subprocess.run(  # noqa: S603 (our own program; the task is its input)
                [sys.executable, "-P", "-s", str(_PROGRAM)],
                input=json.dumps(task).encode(),
                capture_output=True,
                timeout=self.kind.timeout_s,
                env=_ENVIRONMENT,
                cwd="/",
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeliveryFailed(f"Apprise took longer than {self.kind.timeout_s:g} s") from None
        lines = done.stdout.splitlines()
        if done.returncode or not lines:
            raise DeliveryFailed(f"Apprise ended with status {done.returncode}")
        said = json.loads(lines[-1])
        assert isinstance(said, dict)
        return said
