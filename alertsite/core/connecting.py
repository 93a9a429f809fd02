"""Connections to hosts that users name: to checked addresses alone, with one deadline for the whole exchange.

For `httpcore`: a backend goes into its pool. Refuses what the check of addresses refuses.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import httpcore


def authority_of(url: httpcore.URL) -> str:
    """Host and port as the Host header has them: an IPv6 address in brackets."""
    host = url.host.decode()
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if url.port is None else f"{bracketed}:{url.port}"


def read_bounded(chunks: Iterable[bytes], max_bytes: int) -> bytes:
    """The body, or, when it is longer than `max_bytes`, somewhat more than that of it."""
    kept: list[bytes] = []
    size = 0
    for chunk in chunks:
        kept.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            break
    return b"".join(kept)


@dataclass(slots=True)
class GuardedBackend(httpcore.NetworkBackend):
    """Connects to a checked address of the host, while names in headers and certificates stay the host's.

    Attributes
    ----------
    checked
        The addresses of a host that may be connected to; raises if none may.
    monotonic
        Seconds on a clock that never jumps.
    deadline
        On that clock: no step waits longer.
    """

    checked: Callable[[str], Sequence[str]]
    monotonic: Callable[[], float]
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
        for address in self.checked(host):
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
        left = self.deadline - self.monotonic()
        if left <= 0:
            raise late
        return left


@dataclass(slots=True)
class _DeadlineStream(httpcore.NetworkStream):
    """A connection on which no step waits beyond the deadline, however slowly bytes drip."""

    backend: GuardedBackend
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
