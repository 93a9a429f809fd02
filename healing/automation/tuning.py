"""Sizes of the worker pools, proposed from what was measured, by a model of one queue.

In: arrivals, service times, lateness and what is set. Out: proposals with the numbers they come from. With
`a` seconds of work arriving each second and `c` processes, utilisation is a / c; waiting grows as
1 / (1 - utilisation), so processes are chosen for a utilisation of at most `TARGET`, and lateness decides
whether anything is proposed at all. Nothing moves out of its bounds; what lies beyond them moves towards
them; and nothing moves by more than a factor of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

TARGET: Final = 0.7
IDLE: Final = 0.3
"""Utilisation below which fewer processes are proposed."""
FACTOR: Final = 2.0
FULL: Final = 0.9
"""Of batches and of processors."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one pool, over some minutes."""

    arrivals_per_s: float
    service_s: float
    """Mean seconds of a task."""
    lateness_p99_s: float
    overhead_s: float = 0.0013
    """What a task costs besides its work."""
    filled_ratio: float = 1.0
    """How full the batches of tasks are: where they are not, larger ones change nothing."""
    busy_ratio: float = 0.0
    """Of the machine's processors: where they are all busy, more processes only share them."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is set."""

    workers: int
    prefetch: int
    batch: int
    shard_rules: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """Bounds of what may be proposed, and the lateness that is promised."""

    lateness_s: float
    ranges: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One size, from and to, and the arithmetic behind it."""

    subject: str
    current: int
    proposed: int
    evidence: str


def propose(measured: Measured, sizes: Sizes, allowed: Allowed) -> list[Proposal]:
    """What should be changed; empty while lateness is kept and nothing idles."""
    found = [
        *_workers(measured, sizes, allowed),
        *_prefetch(measured, sizes),
        *_batches(measured, sizes, allowed),
    ]
    bounded = (Proposal(one.subject, one.current, _bounded(one, allowed), one.evidence) for one in found)
    return [one for one in bounded if one.proposed != one.current]


def _bounded(one: Proposal, allowed: Allowed) -> int:
    least, most = allowed.ranges.get(one.subject, (one.current, one.current))
    wanted = min(max(one.proposed, least), most)
    return min(max(wanted, math.ceil(one.current / FACTOR)), math.floor(one.current * FACTOR))


def _workers(measured: Measured, sizes: Sizes, allowed: Allowed) -> Iterator[Proposal]:
    work = measured.arrivals_per_s * measured.service_s
    used = work / sizes.workers
    wanted = max(math.ceil(work / TARGET), 1)
    said = (
        f"{measured.arrivals_per_s:g} tasks/s of {measured.service_s:g} s are {work:.2f} processes' work, "
        f"{used:.0%} of {sizes.workers}; "
        f"p99 lateness {measured.lateness_p99_s:g} s, promised {allowed.lateness_s:g} s"
    )
    late = measured.lateness_p99_s > allowed.lateness_s
    helps = late and wanted > sizes.workers and measured.busy_ratio < FULL
    if helps or (not late and used < IDLE and wanted < sizes.workers):
        yield Proposal("workers", sizes.workers, wanted, said)


def _prefetch(measured: Measured, sizes: Sizes) -> Iterator[Proposal]:
    """Long tasks are not reserved by a busy process; short ones come several at a time."""
    wanted = (
        1 if measured.service_s > 0.1 else min(max(math.ceil(0.05 / max(measured.service_s, 1e-3)), 1), 16)
    )
    if wanted != sizes.prefetch:
        yield Proposal(
            "prefetch",
            sizes.prefetch,
            wanted,
            f"tasks take {measured.service_s:g} s; 50 ms are reserved ahead",
        )


def _batches(measured: Measured, sizes: Sizes, allowed: Allowed) -> Iterator[Proposal]:
    """Bigger batches where the task itself costs more than a tenth of its work; smaller shards where one task
    takes more than half of the lateness that is promised.
    """
    share = measured.overhead_s / max(measured.service_s, 1e-9)
    if share > 0.1 and measured.filled_ratio >= FULL:
        wanted = math.ceil(sizes.batch * share / 0.1)
        yield Proposal(
            "batch", sizes.batch, wanted, f"a task's own cost is {share:.0%} of its work, bound 10%"
        )
    if measured.service_s > allowed.lateness_s / 2:
        half = allowed.lateness_s / 2
        wanted = max(math.floor(sizes.shard_rules * half / measured.service_s), 1)
        said = f"a shard takes {measured.service_s:g} s, half of the promised lateness is {half:g} s"
        yield Proposal("shard_rules", sizes.shard_rules, wanted, said)
