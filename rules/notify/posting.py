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
            _read_bounded(response.iter_stream(), MAX_ANSWER_BYTES)
            return Answer(response.status, _decoded(response.headers))

    def fetch(self, sending: Sending, *, timeout_s: float, max_bytes: int) -> Content:
        """Send once and read the answer's body, of which at most `max_bytes` are kept. As `post` otherwise.

        Raises
        ------
        DeliveryRefused, DeliveryFailed
        """
        with self._exchanged(sending, timeout_s) as response:
            body = _read_bounded(response.iter_stream(), max_bytes)
            whole = len(body) <= max_bytes
            return Content(response.status, body[:max_bytes], whole, _decoded(response.headers))

    @contextmanager
    def _exchanged(self, sending: Sending, timeout_s: float) -> Iterator[httpcore.Response]:
        """The answer, its body yet to be read."""
        backend = _GuardedBackend(self, deadline=self.monotonic() + timeout_s)
        target = httpcore.URL(sending.url)
        sent = [("Host", _authority(target)), *sending.headers.items()]
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


def _authority(url: httpcore.URL) -> str:
    """Host and port as the Host header has them: an IPv6 address in brackets."""
    host = url.host.decode()
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if url.port is None else f"{bracketed}:{url.port}"


def _read_bounded(chunks: Iterable[bytes], max_bytes: int) -> bytes:
    """The body, or, when it is longer than `max_bytes`, somewhat more than that of it."""
    kept: list[bytes] = []
    size = 0
    for chunk in chunks:
        kept.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            break
    return b"".join(kept)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


@dataclass(slots=True)
class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to a checked address of the host, while names in headers and certificates stay the host's."""

    poster: Poster
    deadline: float
    backend: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (the deadline bounds all steps together)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection to the first address that takes it."""
        refusal = httpcore.ConnectError("no address")
        for address in checked_addresses(host, self.poster.resolver, allow_private=self.poster.allow_private):
            left = self.left(httpcore.ConnectTimeout)
            try:
                stream = self.backend.connect_tcp(address, port, left, local_address, socket_options)
            except httpcore.ConnectError as error:
                refusal = error
            else:
                return _DeadlineStream(self, stream)
        raise refusal

    def left(self, late: type[httpcore.TimeoutException]) -> float:
        """Seconds until the deadline. Raises the given error when there are none."""
        left = self.deadline - self.poster.monotonic()
        if left <= 0:
            raise late
        return left


@dataclass(slots=True)
class _DeadlineStream(httpcore.NetworkStream):
    """A connection on which no step waits beyond the deadline, however slowly bytes drip."""

    backend: _GuardedBackend
    stream: httpcore.NetworkStream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 (see connect_tcp)
        """Some bytes."""
        return self.stream.read(max_bytes, self.backend.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """All of the buffer."""
        self.stream.write(buffer, self.backend.left(httpcore.WriteTimeout))

    def close(self) -> None:
        """Hang up."""
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted, with the certificate checked against the host's name."""
        left = self.backend.left(httpcore.ConnectTimeout)
        return _DeadlineStream(self.backend, self.stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> object:
        """What the connection knows of itself."""
        return self.stream.get_extra_info(info)
