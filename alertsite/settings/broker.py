"""Celery's spelling of a Redis URL."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit


def broker_from_redis(url: str) -> str:
    """`unix:///path?db=1` as `redis+socket:///path?virtual_host=1`; other URLs as they are."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = {"virtual_host": parse_qs(parts.query).get("db", ["0"])[0]}
    if parts.password:
        query["password"] = parts.password
    return f"redis+socket://{parts.path}?{urlencode(query)}"
