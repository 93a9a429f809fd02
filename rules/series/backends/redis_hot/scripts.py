"""What Redis does for the hot store in one step, so that writers in many processes agree.

A tenant's keys, all in one hash slot:

    series:{tenant}:head      hash: epoch, revision, next
    series:{tenant}:log       string: which number stands for which labels, append-only within a revision
    series:{tenant}:windows   sorted set: starts of the windows that hold samples
    series:{tenant}:EPOCH:WINDOW:SHELF   string: frames of one block

The epoch is drawn anew when Redis was emptied: numbers of the epoch before mean nothing. The revision counts
how often the log was rewritten without the series that are gone: numbers keep their meaning, a number dropped
is not used again.

Redis may also come back a little older than it was (a failover, a torn append-only file). Records of the log
end in a checksum over the whole log so far, its seal; whoever knows a seal that is no longer there reads the
log from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import redis
from redis.commands.core import Script

_UNCHANGED = """
local function unchanged(head_key, log_key, epoch, revision, length, seal)
  local head = redis.call('HMGET', head_key, 'epoch', 'revision')
  if head[1] ~= epoch or head[2] ~= revision then return false end
  local known = tonumber(length)
  return known == 0 or redis.call('GETRANGE', log_key, known - 4, known - 1) == seal
end
"""
"""Whether the log still begins with what the caller read; the seal is the last 4 bytes of that."""

CATCH_UP: Final = (
    _UNCHANGED
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then
  local now = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'epoch', string.format('%d%06d', now[1], now[2]), 'revision', 0, 'next', 0)
  redis.call('DEL', KEYS[2], KEYS[3])
end
local from = 0
if unchanged(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then from = tonumber(ARGV[3]) end
local head = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'next')
return {head[1], head[2], head[3], from, redis.call('GETRANGE', KEYS[2], from, -1)}
"""
)
"""ARGV: epoch, revision, length and seal of the log as known. Returns the head and the log beyond."""

ALLOCATE: Final = (
    _UNCHANGED
    + """
if not unchanged(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 0 end
if redis.call('STRLEN', KEYS[2]) ~= tonumber(ARGV[3]) then return 0 end
redis.call('APPEND', KEYS[2], ARGV[5])
redis.call('HSET', KEYS[1], 'next', ARGV[6])
return 1
"""
)
"""ARGV: epoch, revision, length, seal, records, next number. Appends unless the log has moved on."""

APPEND: Final = (
    _UNCHANGED
    + """
if not unchanged(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 0 end
for i = 4, #KEYS do
  local at = 3 * i - 7
  if redis.call('APPEND', KEYS[i], ARGV[at]) == #ARGV[at] then
    redis.call('PEXPIRE', KEYS[i], ARGV[at + 1])
    redis.call('ZADD', KEYS[3], ARGV[at + 2], ARGV[at + 2])
  end
end
return 1
"""
)
"""ARGV: epoch, revision, length, seal, then for each block frame, time to live and start of the window."""

TAILS: Final = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return false end
local tails = {}
for i = 2, #KEYS do tails[i - 1] = redis.call('GETRANGE', KEYS[i], ARGV[i], -1) end
return tails
"""
"""ARGV: epoch, then from which byte each block is wanted. Returns nothing if the epoch is over."""

REWRITE: Final = (
    _UNCHANGED
    + """
if not unchanged(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 0 end
if redis.call('STRLEN', KEYS[2]) ~= tonumber(ARGV[3]) then return 0 end
for i = 3, #KEYS do
  if redis.call('STRLEN', KEYS[i]) ~= tonumber(ARGV[i + 3]) then return 0 end
end
redis.call('SET', KEYS[2], ARGV[5])
redis.call('HINCRBY', KEYS[1], 'revision', 1)
return 1
"""
)
"""ARGV: epoch, revision, length, seal, records, length of each block. Refuses if any sample came since."""

TRIM: Final = """
local freed = 0
for i = 1, #KEYS do
  local length = redis.call('STRLEN', KEYS[i])
  local taken = length > 0 and redis.call('MEMORY', 'USAGE', KEYS[i]) or 0
  if taken > length * 5 / 4 + 256 then
    redis.call('SET', KEYS[i], redis.call('GET', KEYS[i]), 'KEEPTTL')
    freed = freed + taken - redis.call('MEMORY', 'USAGE', KEYS[i])
  end
end
return freed
"""
"""Gives back the room that Redis keeps behind a string for the next append, as much again as the string."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of one tenant's keys."""

    tenant_key: str

    @property
    def head(self) -> str:
        """Hash of epoch, revision and next number."""
        return f"series:{{{self.tenant_key}}}:head"

    @property
    def log(self) -> str:
        """String of records number -> labels."""
        return f"series:{{{self.tenant_key}}}:log"

    @property
    def windows(self) -> str:
        """Sorted set of the starts of windows."""
        return f"series:{{{self.tenant_key}}}:windows"

    def block(self, epoch: bytes, window_ms: int, shelf: int) -> str:
        """String of frames of one shelf and window."""
        return f"series:{{{self.tenant_key}}}:{epoch.decode()}:{window_ms}:{shelf}"


def stored_windows(client: redis.Redis, keys: Keys, last_ms: int | str = "+inf") -> list[int]:
    """Starts, up to `last_ms`, of the windows that hold samples, ascending."""
    starts = client.zrangebyscore(keys.windows, "-inf", last_ms)
    return [int(start) for start in cast("list[bytes]", starts)]


class Scripts:
    """The scripts, bound to a client."""

    def __init__(self, client: redis.Redis) -> None:
        self.catch_up: Script = client.register_script(CATCH_UP)
        self.allocate: Script = client.register_script(ALLOCATE)
        self.append: Script = client.register_script(APPEND)
        self.tails: Script = client.register_script(TAILS)
        self.rewrite: Script = client.register_script(REWRITE)
        self.trim: Script = client.register_script(TRIM)
