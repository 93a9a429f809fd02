"""Series that models write, into the hot store."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from alertsite.core.labels import LabelSet
from ml.services.outputs import Output
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store


def write_outputs(tenant_id: UUID, outputs: Sequence[Output], now_ms: int) -> int:
    """Append what is known of every series. How many samples the store took."""
    place: dict[LabelSet, int] = {}
    series, at_ms, values = [], [], []
    for one in outputs:
        known = np.isfinite(one.values)
        if known.any():
            number = place.setdefault(one.labels, len(place))
            series.append(np.full(int(known.sum()), number, np.int64))
            at_ms.append(one.times_ms[known])
            values.append(one.values[known])
    if not place:
        return 0
    batch = SampleBatch(list(place), np.concatenate(series), np.concatenate(at_ms), np.concatenate(values))
    return hot_store(tenant_id).append(batch, now_ms=now_ms).accepted
