"""HTTP requests to URLs that users choose.

A URL, headers and a body go in; the status, headers and, where it is wanted, the body of the answer come out.
Refuses addresses that are not public (unless allowed); fails when there is no whole answer within the time.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpcore

from alertsite.core.connecting import GuardedBackend, authority_of, read_bounded
from rules.notify.addresses import Resolver, checked_addresses
from rules.notify.notification import DeliveryFailed

MAX_ANSWER_BYTES = 65_536
"""An answer's body is read up to here, to see that it is whole, and thrown away."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """An answer with its body, read up to the bound that was asked for."""

    status: int
    body: bytes
    whole: bool
    """False: the body is longer than the bound."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Poster:
    """Posts with the guard on addresses and a deadline for the whole exchange.

    Each request has a connection of its own: one kept open belongs to a name that was checked and a
    certificate that was verified then, and would outlive both.

    Attributes
    ----------
    monotonic
        Seconds on a clock that never jumps.
    """

    resolver: Resolver
    allow_private: bool
    ssl_context: ssl.SSLContext
    monotonic: Callable[[], float]

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> Answer:
        """Post once. Redirects are not followed: they could lead to a private address.

        Raises
        ------
        DeliveryRefused
            If the address may not be reached.
        DeliveryFailed
            If there is no answer, or it breaks off.
        """
        with self._exchanged(Sending("POST", url, headers, body), timeout_s) as response:
            read_bounded(response.iter_stream(), MAX_ANSWER_BYTES)
            return Answer(response.status, _decoded(response.headers))

    def fetch(self, sending: Sending, *, timeout_s: float, max_bytes: int) -> Content:
        """Send once and read the answer's body, of which at most `max_bytes` are kept. As `post` otherwise.

        Raises
        ------
        DeliveryRefused, DeliveryFailed
        """
        with self._exchanged(sending, timeout_s) as response:
            body = read_bounded(response.iter_stream(), max_bytes)
            whole = len(body) <= max_bytes
            return Content(response.status, body[:max_bytes], whole, _decoded(response.headers))

    def _checked(self, host: str) -> list[str]:
        return checked_addresses(host, self.resolver, allow_private=self.allow_private)

    @contextmanager
    def _exchanged(self, sending: Sending, timeout_s: float) -> Iterator[httpcore.Response]:
        """The answer, its body yet to be read."""
        backend = GuardedBackend(self._checked, self.monotonic, deadline=self.monotonic() + timeout_s)
        target = httpcore.URL(sending.url)
        sent = [("Host", authority_of(target)), *sending.headers.items()]
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self.ssl_context, network_backend=backend) as pool,
                pool.stream(sending.method, target, headers=sent, content=sending.body) as response,
            ):
                yield response
        except httpcore.TimeoutException:
            raise DeliveryFailed(f"no whole answer within {timeout_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}"[:300]) from None


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
