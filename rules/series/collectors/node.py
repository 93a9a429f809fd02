"""CPU, memory, file systems, network, disks and load of this machine, under node_exporter's names.

Percentages that need one reading alone come along: `memory_usage`, `swap_usage` and `disk_usage`. Pseudo file
systems and partitions are left out, as node_exporter does by default.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from rules.series.collectors.readings import Reading, percent, reading

CPU_MODES: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_MEMORY: Final = {
    "total": "MemTotal",
    "available": "MemAvailable",
    "free": "MemFree",
    "buffers": "Buffers",
    "cached": "Cached",
    "active": "Active",
    "inactive": "Inactive",
    "shared": "Shmem",
    "slab": "Slab",
}
_NETWORK: Final = {
    "bytes_recv": "receive_bytes",
    "packets_recv": "receive_packets",
    "errin": "receive_errs",
    "dropin": "receive_drop",
    "bytes_sent": "transmit_bytes",
    "packets_sent": "transmit_packets",
    "errout": "transmit_errs",
    "dropout": "transmit_drop",
}
_DISK: Final = {
    "read_count": ("reads_completed", 1.0),
    "write_count": ("writes_completed", 1.0),
    "read_bytes": ("read_bytes", 1.0),
    "write_bytes": ("written_bytes", 1.0),
    "read_time": ("read_time_seconds", 0.001),
    "write_time": ("write_time_seconds", 0.001),
    "busy_time": ("io_time_seconds", 0.001),
}
_PSEUDO_FILE_SYSTEMS: Final = re.compile(
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|"
    "nsfs|procfs|proc|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs"
)
_PSEUDO_MOUNT_POINTS: Final = re.compile(
    "/(dev|proc|sys|run/credentials|var/lib/docker|var/lib/containers)(/.*)?"
)
_PARTITIONS: Final = re.compile(r"(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+")
_MOST_FILE_SYSTEMS: Final = 64


def node_readings(now_s: float) -> Iterator[Reading]:
    """Everything that one look tells."""
    yield from _system_readings(now_s)
    yield from _cpu_readings()
    yield from _memory_readings()
    yield from _file_system_readings()
    yield from _network_readings()
    yield from _disk_readings()


def _system_readings(now_s: float) -> Iterator[Reading]:
    yield reading("node_time_seconds", now_s)
    yield reading("node_boot_time_seconds", psutil.boot_time())
    for minutes, load in zip((1, 5, 15), psutil.getloadavg(), strict=True):
        yield reading(f"node_load{minutes}", load)
    uname = platform.uname()
    yield reading(
        "node_uname_info",
        1,
        sysname=uname.system,
        nodename=uname.node,
        release=uname.release,
        version=uname.version,
        machine=uname.machine,
    )


def _cpu_readings() -> Iterator[Reading]:
    for cpu, times in enumerate(psutil.cpu_times(percpu=True)):
        for mode, seconds in times._asdict().items():
            if mode in CPU_MODES:
                yield reading("node_cpu_seconds_total", seconds, cpu=str(cpu), mode=mode)


def _memory_readings() -> Iterator[Reading]:
    memory = psutil.virtual_memory()._asdict()
    for field, name in _MEMORY.items():
        if field in memory:
            yield reading(f"node_memory_{name}_bytes", memory[field])
    yield reading("memory_usage", percent(1 - memory["available"] / memory["total"]))
    swap = psutil.swap_memory()
    yield reading("node_memory_SwapTotal_bytes", swap.total)
    yield reading("node_memory_SwapFree_bytes", swap.free)
    yield reading("swap_usage", percent(swap.used / swap.total if swap.total else 0.0))


def _file_system_readings() -> Iterator[Reading]:
    mounts = {part.mountpoint: part for part in psutil.disk_partitions(all=True)}
    kept = [
        mounts[point]
        for point in sorted(mounts)
        if not _PSEUDO_FILE_SYSTEMS.fullmatch(mounts[point].fstype)
        and not _PSEUDO_MOUNT_POINTS.fullmatch(point)
    ]
    for part in kept[:_MOST_FILE_SYSTEMS]:
        labels = {"device": part.device, "fstype": part.fstype, "mountpoint": part.mountpoint}
        try:
            if not Path(part.mountpoint).is_dir():
                continue
            stats = os.statvfs(part.mountpoint)
        except OSError:
            yield reading("node_filesystem_device_error", 1, **labels)
            continue
        if stats.f_blocks:
            yield from _space_readings(stats, labels)
    yield reading("disk_usage", psutil.disk_usage("/").percent)


def _space_readings(stats: os.statvfs_result, labels: dict[str, str]) -> Iterator[Reading]:
    yield reading("node_filesystem_size_bytes", stats.f_blocks * stats.f_frsize, **labels)
    yield reading("node_filesystem_free_bytes", stats.f_bfree * stats.f_frsize, **labels)
    yield reading("node_filesystem_avail_bytes", stats.f_bavail * stats.f_frsize, **labels)
    yield reading("node_filesystem_files", stats.f_files, **labels)
    yield reading("node_filesystem_files_free", stats.f_ffree, **labels)
    yield reading("node_filesystem_readonly", bool(stats.f_flag & os.ST_RDONLY), **labels)
    yield reading("node_filesystem_device_error", 0, **labels)


def _network_readings() -> Iterator[Reading]:
    for device, stats in psutil.net_if_stats().items():
        yield reading("node_network_up", stats.isup, device=device)
    for device, counters in psutil.net_io_counters(pernic=True).items():
        for field, name in _NETWORK.items():
            yield reading(f"node_network_{name}_total", getattr(counters, field), device=device)


def _disk_readings() -> Iterator[Reading]:
    for device, counters in (psutil.disk_io_counters(perdisk=True) or {}).items():
        facts = {} if _PARTITIONS.fullmatch(device) else counters._asdict()
        for field, (name, scale) in _DISK.items():
            if field in facts:
                yield reading(f"node_disk_{name}_total", facts[field] * scale, device=device)
