"""The machine as series, under node_exporter's names and labels, by psutil.

Out come CPU, memory, file system, network, disk, load and process series, and the percentages that structured
conditions name (`current_metrics.cpu_usage`): `cpu_usage`, `memory_usage`, `swap_usage`, `disk_usage` of the
root file system, and `network_usage` of the busiest link. What the platform does not tell is left out, never
made up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import psutil

from alertsite.core.labels import label_set
from rules.series.collectors.node import CPU_MODES, node_readings
from rules.series.collectors.processes import process_readings
from rules.series.collectors.readings import Reading, percent, reading
from rules.series.protocols import SampleBatch

_IDLE_MODES: Final = ("idle", "iowait")
_FIRST_INTERVAL_S: Final = 0.1
_UNSTATED_LINK_MBIT: Final = 1000
_UNKNOWN_SPEED_MBIT: Final = 65535  # what Linux says of a virtual link


@dataclass(frozen=True, slots=True)
class Counters:
    """What two readings are compared by.

    Attributes
    ----------
    busy_s, total_s
        CPU seconds of all processors: not idle, and altogether.
    link_bytes
        Bytes received or sent so far, whichever is more, by network device.
    """

    at_s: float
    busy_s: float
    total_s: float
    link_bytes: dict[str, int]


class HostCollector:
    """Reads this machine. Keep one: percentages compare a reading with the one before.

    The first reading takes a tenth of a second longer, which `pause` waits.
    """

    def __init__(self, instance: str, job: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._instance = instance
        self._job = job
        self._pause = pause
        self._previous: Counters | None = None

    def collect(self, now_ms: int) -> SampleBatch:
        """All series, one sample each, at this time."""
        now_s = now_ms / 1000
        if self._previous is None:
            self._previous = _count(now_s - _FIRST_INTERVAL_S)
            self._pause(_FIRST_INTERVAL_S)
        counters = _count(now_s)
        readings = [*node_readings(now_s), *usage_readings(self._previous, counters), *process_readings()]
        self._previous = counters
        return self._batch(readings, now_ms)

    def _batch(self, readings: Iterable[Reading], now_ms: int) -> SampleBatch:
        own = {"instance": self._instance, "job": self._job}
        values = {label_set({**item.labels, **own}): item.value for item in readings}
        return SampleBatch(
            list(values),
            np.arange(len(values)),
            np.full(len(values), now_ms, np.int64),
            np.fromiter(values.values(), np.float64, len(values)),
        )


def usage_readings(previous: Counters, current: Counters) -> Iterator[Reading]:
    """`cpu_usage` and `network_usage` between two readings, percent; nothing if no time has passed."""
    if current.total_s > previous.total_s:
        busy_ratio = (current.busy_s - previous.busy_s) / (current.total_s - previous.total_s)
        yield reading("cpu_usage", percent(busy_ratio))
    elapsed_s = current.at_s - previous.at_s
    used = [
        (sent - previous.link_bytes[device]) / elapsed_s / _link_bytes_per_s(device)
        for device, sent in current.link_bytes.items()
        if elapsed_s > 0 and device in previous.link_bytes
    ]
    if used:
        yield reading("network_usage", percent(max(used)))


def _count(at_s: float) -> Counters:
    times = psutil.cpu_times()._asdict()
    total_s = sum(times.get(mode, 0.0) for mode in CPU_MODES)
    idle_s = sum(times.get(mode, 0.0) for mode in _IDLE_MODES)
    links = {
        device: max(counters.bytes_recv, counters.bytes_sent)
        for device, counters in psutil.net_io_counters(pernic=True).items()
        if not device.startswith("lo")
    }
    return Counters(at_s, total_s - idle_s, total_s, links)


def _link_bytes_per_s(device: str) -> float:
    """What the link can carry one way; a gigabit a second where it does not say."""
    stats = psutil.net_if_stats().get(device)
    stated = stats.speed if stats else 0
    speed_mbit = stated if 0 < stated < _UNKNOWN_SPEED_MBIT else _UNSTATED_LINK_MBIT
    return speed_mbit * 1e6 / 8
