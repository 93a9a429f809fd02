"""JSON lines: what is stored from a body, and what is refused with the line named."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rules.series.backends.memory import MemorySeries
from rules.series.errors import BodyTooLarge, MalformedJson, TooManySamples, TooManySeries
from rules.series.ingest.json_lines import ingest_json_lines
from rules.series.limits import IngestLimits

NOW_MS = 1000
GOOD = b'{"labels": {"__name__": "up"}, "samples": [[1000, 1.5]]}'


@pytest.mark.parametrize(
    ("body", "accepted", "refused", "expected"),
    [
        pytest.param(GOOD, 1, {}, [1.5], id="one line"),
        pytest.param(b"\n" + GOOD + b"\r\n\n", 1, {}, [1.5], id="blank lines"),
        pytest.param(b"", 0, {}, [], id="nothing"),
        pytest.param(
            b'{"samples": [[998, 1], [999, 2]], "labels": {"__name__": "up", "a": ""}}\n' + GOOD,
            3,
            {},
            [1.0, 2.0, 1.5],
            id="members in any order, empty label dropped, whole numbers",
        ),
        pytest.param(
            b'{"labels": {"__name__": "up"}, "samples": [[998, "NaN"], [999, "+Inf"], [1000, "-Inf"]]}',
            3,
            {},
            [math.nan, math.inf, -math.inf],
            id="special values",
        ),
        pytest.param(
            b'{"labels": {"job": "x"}, "samples": [[1000, 1]]}\n'
            b'{"labels": {"__name__": "a", "__name__": "b"}, "samples": [[1000, 1], [999, 1]]}\n'
            b'{"labels": {"__name__": "\\u0000"}, "samples": [[1000, 1]]}\n'
            b'{"labels": {"__name__": "\\ud800"}, "samples": [[1000, 1]]}\n' + GOOD,
            1,
            {"missing_metric_name": 1, "duplicate_label": 2, "nul_in_label": 1, "labels_not_utf8": 1},
            [1.5],
            id="bad series are refused, their neighbour is stored",
        ),
        pytest.param(
            b'{"labels": {"__name__": "up"}, "samples": [[-9999999, 1]]}', 0, {"too_old": 1}, [], id="too old"
        ),
    ],
)
def test_ingest(body, accepted, refused, expected):
    store = MemorySeries()
    receipt = ingest_json_lines(body, store, now_ms=NOW_MS)
    assert (receipt.accepted, dict(receipt.refused)) == (accepted, refused)
    values = store.read(store.select([]), 0, NOW_MS).values
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(b"{", "line 2: ", id="not JSON"),
        pytest.param(b"[1]", "not an object", id="array"),
        pytest.param(b'{"labels": {}}', "exactly the members", id="member missing"),
        pytest.param(GOOD[:-1] + b', "value": 1}', "exactly the members", id="member too many"),
        pytest.param(b'{"labels": {"a": 1}, "samples": []}', "object of strings", id="label value"),
        pytest.param(b'{"labels": [], "samples": []}', "object of strings", id="labels array"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": {}}', "not an array", id="samples object"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [[1]]}', "timestamp_ms, value", id="sample of one"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [["1", 1]]}', "timestamp", id="timestamp text"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [[1.5, 1]]}', "timestamp", id="timestamp fraction"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [[true, 1]]}', "timestamp", id="timestamp bool"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [[1e99, 1]]}', "timestamp", id="timestamp exponent"),
        pytest.param(
            b'{"labels": {"a": "b"}, "samples": [[99999999999999999999, 1]]}',
            "timestamp",
            id="timestamp huge",
        ),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [[1, "x"]]}', "value", id="value text"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [[1, null]]}', "value", id="value null"),
        pytest.param(b'{"labels": {"a": "b"}, "samples": [[1, NaN]]}', "not JSON", id="bare NaN"),
        pytest.param(
            b'{"labels": {"a": "b"}, "samples": [[1, 1' + b"0" * 400 + b"]]}", "beyond", id="value huge"
        ),
        pytest.param(b"[" * 100_000, "line 2", id="deeply nested"),
        pytest.param(b'{"labels": {"a": "\xff"}, "samples": []}', "utf-8", id="not UTF-8"),
    ],
)
def test_a_body_with_a_line_of_another_form_is_refused_whole(line, message):
    store = MemorySeries()
    with pytest.raises(MalformedJson, match=message) as refusal:
        ingest_json_lines(GOOD + b"\n" + line, store, now_ms=NOW_MS)
    assert str(refusal.value).startswith("line 2: ")
    assert len(store.select([])) == 0


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        pytest.param(IngestLimits(max_body_bytes=len(GOOD)), BodyTooLarge, id="body"),
        pytest.param(IngestLimits(max_series=1), TooManySeries, id="series"),
        pytest.param(IngestLimits(max_samples=1), TooManySamples, id="samples"),
    ],
)
def test_limits_of_a_request(limits, error):
    with pytest.raises(error):
        ingest_json_lines(GOOD + b"\n" + GOOD, MemorySeries(), now_ms=NOW_MS, limits=limits)
    assert ingest_json_lines(GOOD, MemorySeries(), now_ms=NOW_MS, limits=limits).accepted == 1
