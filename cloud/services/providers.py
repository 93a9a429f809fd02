"""The adapters that this process has, as `CLOUD_ADAPTERS` names them."""

from __future__ import annotations

import socket
from functools import cache
from time import monotonic
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from cloud.adapters.errors import ProviderUnavailable
from cloud.adapters.protocol import Adapter, Surroundings
from cloud.adapters.registry import AdapterRegistry

OURS = ("cloud", "alertsite", "rules", "ml", "healing")


def registry() -> AdapterRegistry:
    """Every adapter whose SDK is installed; of the others, which extra they need."""
    return _registry(tuple(settings.CLOUD_ADAPTERS), _surroundings())


def _surroundings() -> Surroundings:
    return Surroundings(
        allow_private=settings.CLOUD_ALLOW_PRIVATE,
        allow_own_identity=settings.CLOUD_ALLOW_OWN_IDENTITY,
        monotonic=monotonic,
        resolver=resolve,
    )


@cache
def _registry(paths: tuple[str, ...], surroundings: Surroundings) -> AdapterRegistry:
    adapters: list[Adapter] = []
    lacking: dict[str, str] = {}
    for path in paths:
        try:
            kind: Any = import_string(path)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] in OURS:
                raise
            # The folder is called after the provider, and the provider's extra as well.
            provider = path.split(".")[-3]
            lacking[provider] = provider
        else:
            adapters.append(kind(surroundings))
    return AdapterRegistry(adapters, lacking)


def resolve(host: str) -> list[str]:
    """Every address of a host name.

    Raises
    ------
    ProviderUnavailable
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ProviderUnavailable(f"host {host!r} cannot be resolved") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
