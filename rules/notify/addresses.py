"""A guard against requests into our own network: which addresses a user's URL may reach.

A name is resolved once, every address it has is checked, and the connection goes to a checked address, so
that
a second answer of the name server changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import TypeAlias

from rules.notify.notification import DeliveryFailed, DeliveryRefused

Resolver: TypeAlias = Callable[[str], list[str]]


def resolve(host: str) -> list[str]:
    """Every IPv4 and IPv6 address of a host name.

    Raises
    ------
    DeliveryFailed
        If the name has none now.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DeliveryFailed(f"host {host!r} cannot be resolved: {error.strerror}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_address(host: str, resolver: Resolver, *, allow_private: bool) -> str:
    """An address of the host that may be connected to.

    Raises
    ------
    DeliveryRefused
        If any of its addresses is not a public one and private ones are not allowed.
    """
    addresses = resolver(host)
    if not allow_private:
        for address in addresses:
            if not _public(address):
                raise DeliveryRefused(
                    f"host {host!r} has the address {address}, which is not public;"
                    " ALLOW_PRIVATE_WEBHOOKS accepts such addresses"
                )
    return addresses[0]


def _public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo or [None, None])[1]
        if embedded is not None:
            parsed = embedded
    return parsed.is_global and not parsed.is_multicast
