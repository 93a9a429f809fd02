"""What the metrics of the host collector are. Those that node_exporter has too are as they are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from alertsite.core.labels import METRIC_NAME, LabelSet
from rules.series.metadata import Description

_HELP: Final = {
    "cpu_usage": "Share of time that the CPUs were busy, in percent.",
    "memory_usage": "Share of memory that is not available, in percent.",
    "swap_usage": "Share of swap that is used, in percent.",
    "disk_usage": "Share of the root file system that is used, in percent.",
    "network_usage": "Share of the fastest known link that is used, in percent.",
}


def described_readings(label_sets: Iterable[LabelSet]) -> Iterator[Description]:
    """A description of each metric among these series."""
    names = dict.fromkeys(value for labels in label_sets for name, value in labels if name == METRIC_NAME)
    for name in names:
        yield Description(name, _type(name), _HELP.get(name, ""))


def _type(name: str) -> str:
    """By the suffixes that the collector's names have."""
    if name.endswith("_total"):
        return "counter"
    return "info" if name.endswith("_info") else "gauge"
