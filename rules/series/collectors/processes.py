"""The processes of this machine by name, as process-exporter counts them; the largest groups alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import psutil

from rules.series.collectors.readings import Reading, reading

_MOST_GROUPS: Final = 30
_ATTRIBUTES: Final = ["name", "status", "cpu_times", "memory_info", "num_threads"]


@dataclass(slots=True)
class _Group:
    processes: int = 0
    threads: int = 0
    user_s: float = 0.0
    system_s: float = 0.0
    resident_bytes: int = 0


def process_readings() -> Iterator[Reading]:
    """Counts by state, and of the groups with most resident memory: processes, threads, CPU and memory."""
    states: Counter[str] = Counter()
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for process in psutil.process_iter(_ATTRIBUTES, ad_value=None):
        facts = process.info
        states[facts["status"] or "unknown"] += 1
        group = groups[facts["name"] or "unknown"]
        group.processes += 1
        group.threads += facts["num_threads"] or 0
        if facts["cpu_times"]:
            group.user_s += facts["cpu_times"].user
            group.system_s += facts["cpu_times"].system
        if facts["memory_info"]:
            group.resident_bytes += facts["memory_info"].rss
    yield reading("node_processes_pids", sum(states.values()))
    for state, count in sorted(states.items()):
        yield reading("node_processes_state", count, state=state)
    largest = sorted(groups.items(), key=lambda item: (-item[1].resident_bytes, item[0]))[:_MOST_GROUPS]
    for name, group in largest:
        yield from _group_readings(name, group)


def _group_readings(name: str, group: _Group) -> Iterator[Reading]:
    prefix = "namedprocess_namegroup"
    yield reading(f"{prefix}_num_procs", group.processes, groupname=name)
    yield reading(f"{prefix}_num_threads", group.threads, groupname=name)
    yield reading(f"{prefix}_cpu_seconds_total", group.user_s, groupname=name, mode="user")
    yield reading(f"{prefix}_cpu_seconds_total", group.system_s, groupname=name, mode="system")
    yield reading(f"{prefix}_memory_bytes", group.resident_bytes, groupname=name, memtype="resident")
