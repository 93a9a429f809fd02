"""The alert state machine, over all rules of a shard at once.

In: what was active before the tick, what holds now. Out: what is active afterwards and, as objects, only what
changed. The rules are Prometheus's (`rules/alerting.go`): a condition that holds makes an alert pending; held
for `hold_for`, firing; ended, resolved after `keep_firing_for`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from alertsite.core.samples import Bools, Floats, Ints

NEVER = -(1 << 62)
"""A timestamp that has not happened; zero is one that may: unit tests of rules begin there."""

_RULE_FACTOR = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, so that multiplying is a bijection
_PRINT_FACTOR = np.uint64(0xC2B2_AE3D_27D4_EB4F)


class State(enum.StrEnum):
    """States of an alert."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


NOTIFIED = frozenset({State.FIRING, State.RESOLVED})
"""States whose beginning people are told."""


class Reason(enum.StrEnum):
    """Why an alert changed state."""

    CONDITION_BEGAN = "condition_began"
    HELD_LONG_ENOUGH = "held_long_enough"
    CONDITION_ENDED = "condition_ended"
    KEPT_FIRING_LONG_ENOUGH = "kept_firing_long_enough"
    RULE_NOT_ACTIVE = "rule_not_active"
    RESOLVED_BY_HAND = "resolved_by_hand"


@dataclass(frozen=True, slots=True)
class Terms:
    """What each rule of the shard demands. Shape (r,) each; milliseconds; an `alert_limit` of 0 is none."""

    hold_for_ms: Ints
    keep_firing_for_ms: Ints
    alert_limit: Ints


@dataclass(frozen=True, slots=True)
class ActiveAlerts:
    """Alerts that are pending or firing. Shape (a,) each; `fired_at_ms` and `keep_firing_since_ms` may be
    NEVER.
    """

    rule: Ints
    fingerprint: Ints
    active_since_ms: Ints
    fired_at_ms: Ints
    keep_firing_since_ms: Ints

    def __len__(self) -> int:
        return len(self.rule)

    @classmethod
    def none(cls) -> ActiveAlerts:
        """No alert at all."""
        return cls(*(np.empty(0, np.int64) for _ in range(5)))

    def at(self, positions: Ints | Bools) -> ActiveAlerts:
        """The alerts at these positions."""
        return ActiveAlerts(
            self.rule[positions],
            self.fingerprint[positions],
            self.active_since_ms[positions],
            self.fired_at_ms[positions],
            self.keep_firing_since_ms[positions],
        )


@dataclass(frozen=True, slots=True)
class Holding:
    """Elements for which a rule's condition holds now. Shape (h,) each; no (rule, fingerprint) stands
    twice.
    """

    rule: Ints
    fingerprint: Ints
    value: Floats


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Rules whose alerts are treated otherwise this tick. Shape (r,) each."""

    frozen: Bools
    """Alerts stay as they are (error or no data, `keep_state`)."""
    sustained: Bools
    """Alerts count as if their condition held (error or no data, `alerting`)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One alert that changed state. `origin` is its position before the tick, `element` in what holds; or
    -1.
    """

    rule: int
    previous: State
    state: State
    reason: Reason
    origin: int
    element: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a tick did to the alerts of a shard."""

    alerts: ActiveAlerts
    """Active after the tick."""
    origin: Ints
    """Shape (a,): where each active alert stood before, or -1."""
    element: Ints
    """Shape (a,): the element that holds for it, or -1 when it lives on without one."""
    changes: list[Change]
    touched: Ints
    """Positions before the tick of alerts that live on with another `keep_firing_since_ms`."""
    truncated: Ints
    """Rules that held for more elements than their limit."""


def advance(
    before: ActiveAlerts, holding: Holding, terms: Terms, exceptions: Exceptions, *, now_ms: int
) -> Step:
    """Move every alert of the shard by one tick.

    Cost is linear in active alerts and elements that hold; a quiet shard with a million rules costs nothing.
    """
    origin_of_element = _positions(before, holding)
    kept, truncated = _within_limits(holding, origin_of_element, terms.alert_limit)
    element_of_origin = np.full(len(before), -1, np.int64)
    known = kept[origin_of_element[kept] >= 0]
    element_of_origin[origin_of_element[known]] = known
    fresh = kept[origin_of_element[kept] < 0]

    survivors, ended = _survivors(before, element_of_origin, terms, exceptions, now_ms)
    lived = before.at(survivors.position)
    promoted = _promoted(lived, survivors, terms, exceptions, now_ms)
    fired_at = np.where(promoted, now_ms, lived.fired_at_ms)
    at_once = terms.hold_for_ms[holding.rule[fresh]] == 0

    count = len(fresh)
    alerts = ActiveAlerts(
        np.concatenate([lived.rule, holding.rule[fresh]]),
        np.concatenate([lived.fingerprint, holding.fingerprint[fresh]]),
        np.concatenate([lived.active_since_ms, np.full(count, now_ms, np.int64)]),
        np.concatenate([fired_at, np.where(at_once, now_ms, NEVER)]),
        np.concatenate([survivors.keep_since_ms, np.full(count, NEVER, np.int64)]),
    )
    changes = _promotions(before, survivors.position[promoted], element_of_origin)
    changes += _endings(before, ended, terms)
    changes += _beginnings(holding, fresh, at_once)
    moved = survivors.keep_since_ms != lived.keep_firing_since_ms
    return Step(
        alerts=alerts,
        origin=np.concatenate([survivors.position, np.full(count, -1, np.int64)]),
        element=np.concatenate([element_of_origin[survivors.position], fresh]),
        changes=changes,
        touched=survivors.position[moved & ~promoted],
        truncated=truncated,
    )


def identity_keys(rule: Ints, fingerprint: Ints) -> Ints:
    """One 64-bit key for each (rule, fingerprint), shape (n,). As safe from collisions as the fingerprint
    itself.
    """
    mixed = rule.astype(np.uint64) * _RULE_FACTOR ^ fingerprint.astype(np.uint64) * _PRINT_FACTOR
    return mixed.view(np.int64)


def _positions(before: ActiveAlerts, holding: Holding) -> Ints:
    """For each element the position of its alert before the tick, or -1. Shape (h,)."""
    if not len(before) or not len(holding.rule):
        return np.full(len(holding.rule), -1, np.int64)
    keys = identity_keys(before.rule, before.fingerprint)
    wanted = identity_keys(holding.rule, holding.fingerprint)
    order = np.argsort(keys, kind="stable")
    found = np.searchsorted(keys[order], wanted)
    candidate = order[np.minimum(found, len(keys) - 1)]
    return np.where(keys[candidate] == wanted, candidate, -1)


def _within_limits(holding: Holding, origin: Ints, limits: Ints) -> tuple[Ints, Ints]:
    """Positions of the elements that count, and the rules that had too many.

    Alerts that are already active keep their place, then the first new ones in the order of the result.
    """
    everything = np.arange(len(holding.rule))
    limited = limits[holding.rule]
    if not limited.any():
        return everything, np.empty(0, np.int64)
    order = np.lexsort((everything, origin < 0, holding.rule))
    rules = holding.rule[order]
    rank = everything - np.searchsorted(rules, rules, side="left")
    over = (limits[rules] > 0) & (rank >= limits[rules])
    return np.sort(order[~over]), np.unique(rules[over])


@dataclass(frozen=True, slots=True)
class _Survivors:
    position: Ints  # before the tick
    keep_since_ms: Ints
    holds: Bools


def _survivors(
    before: ActiveAlerts, element: Ints, terms: Terms, exceptions: Exceptions, now_ms: int
) -> tuple[_Survivors, Ints]:
    """Alerts that live on, and the positions of those that ended."""
    frozen = exceptions.frozen[before.rule]
    holds = (element >= 0) | (exceptions.sustained[before.rule] & ~frozen)
    keep_for = terms.keep_firing_for_ms[before.rule]
    firing = before.fired_at_ms != NEVER
    since = np.where(before.keep_firing_since_ms == NEVER, now_ms, before.keep_firing_since_ms)
    kept = ~holds & firing & (keep_for > 0) & (now_ms - since < keep_for)
    since = np.where(frozen, before.keep_firing_since_ms, np.where(holds, NEVER, since))
    lives = holds | kept | frozen
    position = np.flatnonzero(lives)
    return _Survivors(position, since[position], holds[position]), np.flatnonzero(~lives)


def _promoted(
    lived: ActiveAlerts, survivors: _Survivors, terms: Terms, exceptions: Exceptions, now_ms: int
) -> Bools:
    """Pending alerts that have held long enough. Shape (survivors,)."""
    pending = lived.fired_at_ms == NEVER
    ripe = now_ms - lived.active_since_ms >= terms.hold_for_ms[lived.rule]
    promoted: Bools = pending & ripe & survivors.holds & ~exceptions.frozen[lived.rule]
    return promoted


def _promotions(before: ActiveAlerts, positions: Ints, element: Ints) -> list[Change]:
    return [
        Change(
            int(before.rule[at]), State.PENDING, State.FIRING, Reason.HELD_LONG_ENOUGH, at, int(element[at])
        )
        for at in positions.tolist()
    ]


def _endings(before: ActiveAlerts, positions: Ints, terms: Terms) -> list[Change]:
    changes = []
    for at in positions.tolist():
        rule = int(before.rule[at])
        if before.fired_at_ms[at] == NEVER:
            changes.append(Change(rule, State.PENDING, State.INACTIVE, Reason.CONDITION_ENDED, at, -1))
            continue
        kept = terms.keep_firing_for_ms[rule] > 0
        reason = Reason.KEPT_FIRING_LONG_ENOUGH if kept else Reason.CONDITION_ENDED
        changes.append(Change(rule, State.FIRING, State.RESOLVED, reason, at, -1))
    return changes


def _beginnings(holding: Holding, fresh: Ints, at_once: Bools) -> list[Change]:
    return [
        Change(
            int(holding.rule[element]),
            State.INACTIVE,
            State.FIRING if fires else State.PENDING,
            Reason.HELD_LONG_ENOUGH if fires else Reason.CONDITION_BEGAN,
            -1,
            element,
        )
        for element, fires in zip(fresh.tolist(), at_once.tolist(), strict=True)
    ]
