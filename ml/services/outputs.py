"""What a pass over a group gives: series to write, and the state that it puts the group in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, label_set
from alertsite.core.samples import Floats, Ints
from ml.models import ModelGroup

GROUP_LABEL: Final = "model_group"
METRIC_LABEL: Final = "metric"


@dataclass(frozen=True, slots=True)
class Output:
    """Samples of one series; values that are not finite are not written."""

    labels: LabelSet
    times_ms: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class Told:
    """Series of a group at its due ticks."""

    outputs: Sequence[Output]
    state: ModelGroup.State
    reason: str = ""


def output_labels(labels: LabelSet, group: ModelGroup, name: str, **more: str) -> LabelSet:
    """The labels of what is written: those of the series it tells of, its name as `metric`, and the group."""
    pairs = dict(labels)
    metric = pairs.pop(METRIC_NAME, "")
    told = {METRIC_NAME: name, METRIC_LABEL: metric, GROUP_LABEL: group.name}
    return label_set({key: value for key, value in (pairs | told | more).items() if value})


def at_once(labels: LabelSet, tick_ms: int, value: float) -> Output:
    """One sample."""
    return Output(labels, np.array([tick_ms], np.int64), np.array([value], np.float64))


def horizon_label(hours: int) -> str:
    """`1h`, `24h`, `7d`: whole weeks are told in days."""
    return f"{hours // 24}d" if hours % 168 == 0 else f"{hours}h"
