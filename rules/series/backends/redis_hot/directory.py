"""Which number stands for which labels: a process's copy of the log in Redis, caught up by reading its tail.

Labels are canonical bytes (`rules.series.encoding`). Numbers are dense, given once, and agreed upon by
appending to the log only when nobody else has: who loses that race reads what the winner wrote and tries
again.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rules.series.backends.redis_hot.scripts import Keys, Scripts
from rules.series.errors import StoreContended

_RECORD = struct.Struct("<II")
_SEAL_BYTES = 4
_ATTEMPTS = 100
_ALIASES_PER_SERIES = 2
_ALIASES_AT_LEAST = 10_000


@dataclass(slots=True)
class Edition:
    """What the log said, as far as it was read. A new epoch or revision is a new object; growth is not."""

    epoch: bytes = b""
    revision: bytes = b""
    end: tuple[int, bytes] = (0, b"")
    """Bytes of the log that were read, and their seal: one value, so that threads see both or neither."""
    next_number: int = 0
    numbers: dict[bytes, int] = field(default_factory=dict)
    """Canonical label bytes -> number."""
    aliases: dict[bytes, int] = field(default_factory=dict)
    """Label bytes in the order in which a client sends them -> number. Bounded: a cache."""

    def read(self, records: bytes) -> None:
        """Take in a tail of the log."""
        for number, labels in parse_records(records):
            self.numbers[labels] = number
        if records:
            self.end = (self.end[0] + len(records), records[-_SEAL_BYTES:])

    @property
    def arguments(self) -> list[bytes | int]:
        """What scripts compare before they trust this edition."""
        return [self.epoch, self.revision, *self.end]

    def remember_alias(self, raw: bytes, number: int) -> None:
        """Spare the next request the sorting of these labels."""
        if len(self.aliases) >= max(_ALIASES_AT_LEAST, _ALIASES_PER_SERIES * len(self.numbers)):
            self.aliases.clear()
        self.aliases[raw] = number


class Directory:
    """The tenant's numbers. The edition grows in place: who changes it or iterates over it holds `lock`."""

    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = keys
        self.lock = threading.RLock()
        self.edition = Edition()

    def catch_up(self) -> Edition:
        """Read what was appended to the log since; all of it if Redis was emptied or the log rewritten."""
        with self.lock:
            edition = self.edition
            epoch, revision, next_number, start, records = self._scripts.catch_up(
                keys=[self._keys.head, self._keys.log, self._keys.windows],
                args=edition.arguments,
            )
            if (epoch, revision, start) != (edition.epoch, edition.revision, edition.end[0]):
                edition = Edition(epoch, revision)
            edition.read(records)
            edition.next_number = int(next_number)
            self.edition = edition
            return edition

    def allocate(self, wanted: Sequence[bytes], *, max_series: int) -> Edition:
        """Give a number to each of these label sets that has none, in this order, up to `max_series` in all.

        The caller holds `lock`.

        1. Catch up, so that what others wrote is known. 2. Append records for the rest, on condition that the
        log is as long as was read. 3. If it is not, somebody else appended: start over.
        """
        for _ in range(_ATTEMPTS):
            edition = self.catch_up()
            room = max(0, max_series - len(edition.numbers))
            fresh = list(dict.fromkeys(labels for labels in wanted if labels not in edition.numbers))[:room]
            if not fresh:
                return edition
            records = format_records(enumerate(fresh, start=edition.next_number), edition.end[1])
            next_number = edition.next_number + len(fresh)
            arguments = [*edition.arguments, records, next_number]
            if self._scripts.allocate(keys=[self._keys.head, self._keys.log], args=arguments):
                edition.read(records)
                edition.next_number = next_number
                return edition
        raise StoreContended(_ATTEMPTS)

    def rewrite(self, edition: Edition, kept: Iterator[tuple[int, bytes]], lengths: dict[str, int]) -> bool:
        """Replace the log by the records kept, unless it or one of these blocks has another length by now."""
        arguments = [*edition.arguments, format_records(kept, b""), *lengths.values()]
        keys = [self._keys.head, self._keys.log, *lengths]
        return bool(self._scripts.rewrite(keys=keys, args=arguments))


def format_records(entries: Iterator[tuple[int, bytes]], seal: bytes) -> bytes:
    """Records of the log for (number, canonical label bytes), to follow a record with this seal."""
    checksum = int.from_bytes(seal, "little")
    records: list[bytes] = []
    for number, labels in entries:
        record = _RECORD.pack(number, len(labels)) + labels
        checksum = zlib.crc32(record, checksum)
        records += (record, checksum.to_bytes(_SEAL_BYTES, "little"))
    return b"".join(records)


def parse_records(records: bytes) -> Iterator[tuple[int, bytes]]:
    """The (number, canonical label bytes) of whole records."""
    position = 0
    while position < len(records):
        number, size = _RECORD.unpack_from(records, position)
        start = position + _RECORD.size
        yield number, records[start : start + size]
        position = start + size + _SEAL_BYTES
