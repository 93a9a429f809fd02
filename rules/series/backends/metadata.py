"""Where descriptions of metrics lie: a hash in Redis for each tenant, `series:{TENANT}:metadata`.

What this process wrote within the hour is not written again, so that senders that repeat everything each
minute cost nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

import redis

from rules.series.metadata import MAX_METRICS, MAX_TEXT, Description

KEPT_S: Final = 7 * 86_400
"""After the last description came."""
_WRITE_AGAIN_MS: Final = 3_600_000


class RedisMetadata:
    """Descriptions of one tenant's metrics, the same for all processes."""

    def __init__(self, client: redis.Redis, tenant: str) -> None:
        self._client = client
        self._key = f"series:{{{tenant}}}:metadata"
        self._written: dict[str, str] = {}
        self._since_ms = 0

    def note(self, described: Iterable[Description], *, now_ms: int) -> None:
        """See `MetadataStore.note`."""
        if not 0 <= now_ms - self._since_ms < _WRITE_AGAIN_MS:
            self._written, self._since_ms = {}, now_ms
        texts = {one.metric[:MAX_TEXT]: _packed(one) for one in described if one.metric}
        fresh = {name: text for name, text in texts.items() if self._written.get(name) != text}
        if not fresh:
            return
        # Two processes may pass the bound together by what one request holds: it is there for the memory.
        room = MAX_METRICS - int(self._client.hlen(self._key))
        if room < len(fresh):
            known = self._client.hmget(self._key, list(fresh))
            there = {name for name, text in zip(fresh, known, strict=True) if text is not None}
            new = [name for name in fresh if name not in there][: max(0, room)]
            fresh = {name: fresh[name] for name in [*there, *new]}
        if fresh:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hset(self._key, items=[part for pair in fresh.items() for part in pair])
            pipeline.expire(self._key, KEPT_S)
            pipeline.execute()
            self._written |= fresh

    def read(self, metric: str = "") -> list[Description]:
        """See `MetadataStore.read`."""
        if metric:
            text = self._client.hget(self._key, metric)
            return [] if text is None else [_unpacked(metric, text)]
        found = {_text(name): text for name, text in self._client.hgetall(self._key).items()}
        return [_unpacked(name, text) for name, text in sorted(found.items())]


def _packed(one: Description) -> str:
    return json.dumps([one.type, one.help[:MAX_TEXT], one.unit[:MAX_TEXT]], separators=(",", ":"))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _unpacked(metric: str, text: bytes | str) -> Description:
    kind, help_text, unit = json.loads(text)
    return Description(metric, kind, help_text, unit)
