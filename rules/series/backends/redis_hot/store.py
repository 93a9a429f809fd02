"""`RedisSeries`: one tenant's hot series, read and written by any number of processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import redis

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet, Matcher
from alertsite.core.samples import Columns, Ints
from rules.series.backends.archive import ClosedBlock
from rules.series.backends.postings import Postings
from rules.series.backends.redis_hot.directory import Directory, Edition
from rules.series.backends.redis_hot.reader import Reader
from rules.series.backends.redis_hot.scripts import Keys, Scripts
from rules.series.backends.redis_hot.upkeep import Upkeep
from rules.series.backends.redis_hot.writer import Retention, Samples, Writer
from rules.series.encoded import EncodedBatch
from rules.series.encoding import decode_labels, encode_labels, parse_labels
from rules.series.errors import RefusedLabels, SeriesRenumbered
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch, WriteReceipt

DEFAULT_WINDOW_MS: Final = 600_000
_BEYOND_LATENESS_MS: Final = 2 * 3_600_000


class RedisSeries:
    """Reader and writer of one tenant's hot series. Safe for threads; keep one a process and tenant.

    `select` and `labels` answer from this process's copy of the index, brought up to date by `generation()`,
    by the first `select` after a `read`, and by what this process writes. Begin an evaluation with
    `generation()`.

    Parameters
    ----------
    client
        Of redis-py, with `decode_responses=False`.
    tenant_key
        Prefix of the tenant's keys; unique, without braces.
    window_ms
        Span of one block. All processes must agree on it.
    hot_ms
        How long after its end a window stays in Redis; by default two hours longer than the lateness window.
        Whatever is to be archived must be archived before.
    """

    def __init__(
        self,
        client: redis.Redis,
        tenant_key: str,
        limits: SeriesLimits,
        *,
        window_ms: int = DEFAULT_WINDOW_MS,
        hot_ms: int | None = None,
    ) -> None:
        retention = Retention(
            window_ms, limits.lateness_ms + _BEYOND_LATENESS_MS if hot_ms is None else hot_ms
        )
        if retention.hot_ms < limits.lateness_ms:
            raise InvalidParameter(
                "hot_ms", hot_ms, f"at least the lateness window of {limits.lateness_ms} ms"
            )
        keys = Keys(tenant_key)
        scripts = Scripts(client)
        self._limits = limits
        self._directory = Directory(scripts, keys)
        self._writer = Writer(scripts, keys, self._directory, limits, retention)
        self._reader = Reader(client, scripts, keys, window_ms)
        self._upkeep = Upkeep(client, scripts, keys, retention)
        self._reading = threading.Lock()
        self._postings = Postings()
        self._indexed = self._directory.edition
        self._pairs: dict[bytes, tuple[str, str]] = {}
        self._behind = True

    def generation(self) -> int:
        """A number that changes when series were added or dropped by any process. One round trip.

        It depends on the index alone: another `RedisSeries` of the tenant in this process says the same.
        """
        with self._directory.lock:
            self.catch_up()
            return hash((self._indexed.epoch, self._indexed.revision, self._indexed.end))

    def catch_up(self) -> None:
        """Know the series that other processes have added or dropped since. One round trip."""
        with self._directory.lock:
            self._index(self._directory.catch_up())
            self._behind = False

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers of the series that satisfy every matcher."""
        with self._directory.lock:
            self._index(self._directory.catch_up() if self._behind else self._directory.edition)
            self._behind = False
            return self._postings.select(matchers)

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series, in the order asked.

        Raises
        ------
        SeriesRenumbered
            If a number is not, or no longer, that of a series.
        """
        known = self._postings.labels
        try:
            return [known[number] for number in numbers.tolist()]
        except KeyError:
            raise SeriesRenumbered from None

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        """Samples of these series with `start_ms <= timestamp <= end_ms`.

        Raises
        ------
        SeriesRenumbered
            If Redis was emptied since the numbers were selected.
        """
        with self._reading:
            self._behind = True
            return self._reader.read(self._indexed.epoch, numbers, start_ms, end_ms)

    def append(self, batch: SampleBatch, *, now_ms: int) -> WriteReceipt:
        """Store the samples inside the limits, count the others by reason."""
        keys = [encode_labels(labels) for labels in batch.label_sets]

        def admit(position: int) -> bytes:
            self._check(batch.label_sets[position])
            return keys[position]

        samples = Samples(batch.series, batch.timestamps_ms, batch.values)
        return self._writer.write(keys, samples, admit, now_ms=now_ms)

    def append_encoded(self, batch: EncodedBatch, *, now_ms: int) -> WriteReceipt:
        """As `append`, for labels as they came in; those not seen before are checked and sorted.

        Raises
        ------
        MalformedProtobuf
            If label bytes are not `Label` messages. Nothing was stored then.
        """

        def admit(position: int) -> bytes:
            labels = parse_labels(batch.labels[position])
            self._check(labels)
            return encode_labels(labels)

        samples = Samples(batch.series, batch.timestamps_ms, batch.values)
        return self._writer.write(batch.labels, samples, admit, now_ms=now_ms)

    def closed_windows(self, now_ms: int) -> list[int]:
        """Starts of the windows that can take no more samples, oldest first: these may be archived."""
        return self._upkeep.closed_windows(now_ms, lateness_ms=self._limits.lateness_ms)

    def export_window(self, window_start_ms: int) -> Iterator[ClosedBlock]:
        """The samples of a window, some 65,000 series a block; nothing if it has expired."""
        return self._upkeep.export_window(self._directory.catch_up(), window_start_ms)

    def drop_window(self, window_start_ms: int) -> None:
        """Free a window's memory before its time, once it is archived."""
        self._upkeep.drop_window(self._directory.catch_up(), window_start_ms)

    def trim_ended_windows(self, now_ms: int) -> int:
        """Give back the room that Redis keeps for appends to windows that have ended. Returns bytes freed."""
        return self._upkeep.trim_ended_windows(self._directory.catch_up(), now_ms)

    def drop_gone_series(self, now_ms: int) -> int:
        """Forget series without hot samples, once they are many. Returns how many were forgotten."""
        span_ms = (now_ms - self._limits.lateness_ms, now_ms + self._limits.future_ms)
        return self._upkeep.drop_gone_series(self._directory, span_ms)

    def _check(self, labels: LabelSet) -> None:
        reason = self._limits.label_refusal(labels)
        if reason:
            raise RefusedLabels(
                reason, f"series of {len(labels)} labels is beyond the tenant's limits: {reason}"
            )

    def _index(self, edition: Edition) -> None:
        if edition is not self._indexed:
            self._postings = Postings()
            self._pairs.clear()
            self._indexed = edition
        if len(edition.numbers) > len(self._postings):
            entries = islice(edition.numbers.items(), len(self._postings), None)
            self._postings.add((number, decode_labels(key, self._pairs)) for key, number in entries)
