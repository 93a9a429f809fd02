"""A guard against requests into our own network: which addresses a user's URL may reach.

A name is resolved once, every address it has is checked, and the connection goes to a checked address, so
that
a second answer of the name server changes nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeAlias

from alertsite.core.addresses import is_public
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
    except UnicodeError:  # a label of more than 63 characters, for one
        raise DeliveryFailed(f"host {host!r} cannot be resolved: it is no host name") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(host: str, resolver: Resolver, *, allow_private: bool) -> list[str]:
    """The addresses of the host, all of which may be connected to.

    Raises
    ------
    DeliveryRefused
        If any of them is not a public one and private ones are not allowed. Which one is not told: it would
        tell a tenant what our name servers know.
    """
    addresses = resolver(host)
    if not allow_private and not all(map(is_public, addresses)):
        raise DeliveryRefused(
            f"host {host!r} has an address that is not public; ALLOW_PRIVATE_WEBHOOKS accepts such addresses"
        )
    return addresses
