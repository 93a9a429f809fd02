"""The PostgreSQL connection.

In: a URL. Out: Django's `DATABASES` entry. A `host` parameter that is a directory selects a
Unix socket. Refused: URLs that name no database.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from alertsite.settings.env import InvalidSetting

PERSISTENT_S = 300
PREPARED_FROM = 5
"""Times a connection sees a statement before it prepares it; psycopg's own default."""


def postgres_from_url(url: str) -> dict[str, Any]:
    """Describe to Django the database at `postgresql://user:password@host:port/name?host=/socket&sslmode=…`.

    Each thread keeps a connection of its own for `PERSISTENT_S`. What it asks again and again is prepared:
    planning was half of what PostgreSQL spent on an alert. Hence no statement may ask for `*`: a column that
    a later release adds would break it in the processes of this one.
    """
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise InvalidSetting(
            "DATABASE_URL", "without a database name", "postgresql://user:password@host:port/name"
        )
    host = options.pop("host", None) or parts.hostname or ""
    return {
        "ENGINE": "alertsite.tenancy.database",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(options.pop("port", None) or parts.port or ""),
        "CONN_MAX_AGE": PERSISTENT_S,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": PREPARED_FROM} | options,
    }
