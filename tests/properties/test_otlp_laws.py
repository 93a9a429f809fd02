"""Laws of OTLP: no body breaks the decoder, and totals do not depend on how increases were sent."""

from __future__ import annotations

import itertools
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from rules.series.backends.deltas import MemoryDeltas
from rules.series.deltas import DeltaRefusal, Increase
from rules.series.errors import IngestError
from rules.series.ingest.otlp_body import JSON, PROTOBUF, decode_export, unpack_gzip
from rules.series.ingest.otlp_names import label_name, metric_name
from rules.series.limits import IngestLimits

LIMITS = IngestLimits(max_body_bytes=1000)
NOW_MS = 1_700_000_000_000

increases = st.lists(
    st.builds(
        Increase,
        st.sampled_from([b"a", b"b", b"c"]),
        st.integers(NOW_MS - 20, NOW_MS),
        st.integers(0, 100).map(float),
    )
)


@given(st.binary(max_size=1100), st.sampled_from([PROTOBUF, JSON]))
def test_any_bytes_are_read_or_refused(body, kind):
    for read in (lambda: decode_export(body, kind, LIMITS), lambda: unpack_gzip(body, LIMITS)):
        with suppress(IngestError):
            read()


@given(st.text(), st.text())
def test_names_are_those_of_prometheus_before_utf8(name, unit):
    assert set(metric_name(name, unit, monotonic=True)) <= set(map(chr, range(128)))
    assert not metric_name(name, unit)[:1].isdigit()
    assert not label_name(name)[:1].isdigit()


@given(increases, st.integers(1, 5))
def test_totals_are_sums_of_what_was_taken_however_it_was_sent(sent, at_a_time):
    whole, parts = MemoryDeltas(2), MemoryDeltas(2)
    at_once = whole.add(sent, now_ms=NOW_MS)
    chunks = [sent[start : start + at_a_time] for start in range(0, len(sent), at_a_time)]

    assert list(itertools.chain(*(parts.add(chunk, now_ms=NOW_MS) for chunk in chunks))) == at_once
    taken = [one for one, total in zip(sent, at_once, strict=True) if not isinstance(total, DeltaRefusal)]
    for labels in {one.labels for one in taken}:
        totals = [
            total
            for one, total in zip(sent, at_once, strict=True)
            if one.labels == labels and not isinstance(total, DeltaRefusal)
        ]
        assert totals == list(itertools.accumulate(one.value for one in taken if one.labels == labels))
