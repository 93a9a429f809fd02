"""What the agent answers: a request goes in, a status and JSON come out.

Refused: a wrong token, a service that is not in the list, a path that is none of its three.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

RESTARTS_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Whether a service runs, and what changes when it is started again."""

    active: bool
    since: str


class Supervisor(Protocol):
    """Who keeps the services of a host running."""

    def state(self, service: str) -> ServiceState:
        """How a service is."""

    def restart(self, service: str) -> None:
        """Start it again. Raises `OSError` if that fails."""


class Agent:
    """Answers requests about the services of a list.

    Parameters
    ----------
    token
        What a request must bear.
    services
        The names that may be asked for; there are no others.
    """

    def __init__(self, supervisor: Supervisor, services: Sequence[str], token: str) -> None:
        self._supervisor = supervisor
        self._services = tuple(services)
        self._token = token.encode()
        self._done: dict[str, str] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Status and JSON. Header names are in lower case."""
        given = headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, self._token):
            return 401, {"error": "the token is wrong"}
        if (method, path) == ("GET", "/v1/services"):
            return 200, {"services": [self._shown(name) for name in self._services]}
        found = re.fullmatch(r"/v1/services/([\w.@-]+)(/restart)?", path)
        if not found or found.group(1) not in self._services:
            return 404, {"error": "no such service in the agent's list"}
        if method == "GET" and not found.group(2):
            return 200, self._shown(found.group(1))
        if method == "POST" and found.group(2):
            return self._restarted(found.group(1), headers.get("idempotency-key", ""))
        return 405, {"error": "GET a service, or POST its restart"}

    def _shown(self, name: str) -> dict[str, Any]:
        state = self._supervisor.state(name)
        return {"name": name, "active": state.active, "since": state.since}

    def _restarted(self, name: str, key: str) -> tuple[int, Any]:
        """Restart once for a key, as long as the agent lives."""
        if not key or self._done.get(key) != name:
            try:
                self._supervisor.restart(name)
            except OSError as error:
                return 500, {"error": str(error)}
            if key:
                self._done[key] = name
            while len(self._done) > RESTARTS_KEPT:
                del self._done[next(iter(self._done))]
        return 202, self._shown(name)
