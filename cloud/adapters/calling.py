"""Plain HTTP to a server that a tenant named: guarded, bounded, recorded, its failures in our words.

A request goes in; status, headers and body come out. Refused: addresses that are not public (unless allowed).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpcore

from alertsite.core.addresses import is_public
from alertsite.core.connecting import GuardedBackend, authority_of, read_bounded
from alertsite.core.errors import InvalidParameter
from cloud.adapters.errors import (
    ActionRefused,
    AdapterError,
    AnswerLost,
    CredentialsRefused,
    PermissionMissing,
    ProviderUnavailable,
    ResourceGone,
    Throttled,
)
from cloud.adapters.protocol import Surroundings
from cloud.adapters.recording import Recorder

MAX_ANSWER_BYTES: Final = 1024 * 1024

_REFUSALS: Final[Mapping[int, type[AdapterError]]] = {
    401: CredentialsRefused,
    403: PermissionMissing,
    404: ResourceGone,
    410: ResourceGone,
    503: ProviderUnavailable,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `headers` may hold secrets; they are not recorded."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; empty if it is none."""
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            return {}


class Caller:
    """Sends requests, each over a connection of its own, and keeps what was said."""

    def __init__(self, surroundings: Surroundings, recorder: Recorder) -> None:
        self._surroundings = surroundings
        self._recorder = recorder
        self._ssl_context = ssl.create_default_context()

    def send(self, call: Call) -> Reply:
        """Send once. Redirects are not followed: they could lead elsewhere.

        Raises
        ------
        AdapterError
            Also for an answer that says no.
        """
        started = self._surroundings.monotonic()
        try:
            reply = self._exchanged(call)
        except AdapterError as error:
            self._keep(call, type(error).__name__, {"error": str(error)}, started)
            raise
        self._keep(call, str(reply.status), _shown(reply.body), started)
        raise_for(reply)
        return reply

    def _keep(self, call: Call, status: str, answered: Any, started: float) -> None:
        seconds = self._surroundings.monotonic() - started
        self._recorder.keep(f"{call.method} {call.url}", _shown(call.body), status, answered, seconds)

    def _exchanged(self, call: Call) -> Reply:
        surroundings = self._surroundings
        backend = GuardedBackend(
            self._checked, surroundings.monotonic, deadline=surroundings.monotonic() + call.timeout_s
        )
        target = httpcore.URL(call.url)
        sent = [("Host", authority_of(target)), *call.headers.items()]
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._ssl_context, network_backend=backend) as pool,
                pool.stream(call.method, target, headers=sent, content=call.body) as response,
            ):
                body = read_bounded(response.iter_stream(), MAX_ANSWER_BYTES)
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in response.headers
                }
                return Reply(response.status, headers, body[:MAX_ANSWER_BYTES])
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise ProviderUnavailable(f"no connection to {_authority(call)}: {error}") from None
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise AnswerLost(
                f"{call.method} {_authority(call)}: {type(error).__name__}, no whole answer"
            ) from None

    def _checked(self, host: str) -> Sequence[str]:
        addresses = self._surroundings.resolver(host)
        if not self._surroundings.allow_private and not all(map(is_public, addresses)):
            raise InvalidParameter("host", host, "public addresses; CLOUD_ALLOW_PRIVATE accepts others")
        return addresses


def raise_for(reply: Reply) -> None:
    """Raise what a status means, if it is no success.

    Raises
    ------
    AdapterError
    """
    if reply.status < 300:
        return
    message = f"the server answered {reply.status}: {reply.body[:300].decode('utf-8', 'replace')}"
    if reply.status == 429:
        raise Throttled(message, seconds_of(reply.headers.get("retry-after")))
    if reply.status in _REFUSALS:
        raise _REFUSALS[reply.status](message)
    if reply.status >= 500:
        # A gateway that gave up, or a server that broke midway, may have done it.
        raise AnswerLost(message)
    raise ActionRefused(message)


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds of a `Retry-After` header; None if it has none, or a date."""
    try:
        return float(retry_after) if retry_after else None
    except ValueError:
        return None


def _authority(call: Call) -> str:
    return authority_of(httpcore.URL(call.url))


def _shown(body: bytes) -> Any:
    """JSON as it is, so that its secrets can be masked by name; text otherwise."""
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return body.decode("utf-8", "replace")
