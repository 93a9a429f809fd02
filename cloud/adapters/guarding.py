"""Where an account may send its requests.

An endpoint that a tenant typed goes in. Refused is one inside our own network, unless the operator allows it:
a request of the platform is made from inside.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from alertsite.core.addresses import is_public
from alertsite.core.errors import InvalidParameter
from cloud.adapters.protocol import Surroundings

SCHEMES = ("http", "https")


def check_endpoint(url: str, surroundings: Surroundings) -> str:
    """The endpoint, if its form can be used. A host that is a name is looked up when it is connected to.

    Raises
    ------
    InvalidParameter
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise InvalidParameter("endpoint", url, "http://host or https://host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidParameter("endpoint", parts.hostname, "a URL without user, query or fragment")
    if not surroundings.allow_private and _is_inside(parts.hostname):
        raise InvalidParameter("endpoint", url, _PUBLIC_ONLY)
    return url.rstrip("/")


def check_reachable(url: str, surroundings: Surroundings) -> None:
    """Look the endpoint's host up, just before it is connected to.

    Raises
    ------
    InvalidParameter
        If any of its addresses is not public and private ones are not allowed. Which one is not told.
    """
    host = urlsplit(url).hostname or ""
    if not surroundings.allow_private and not all(map(is_public, surroundings.resolver(host))):
        raise InvalidParameter("endpoint", url, _PUBLIC_ONLY)


_PUBLIC_ONLY = "a host of the public internet; CLOUD_ALLOW_PRIVATE accepts others"


def _is_inside(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return not is_public(host)
