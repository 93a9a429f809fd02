"""What a group says when its timer rings: the decision to send a message, member by member.

In: the group, its members and what may keep them quiet (silences, inhibition, intervals, people). Out: a
decision with a reason, the members that go into the message, a verdict on every member, and when to look
again. The rules are Alertmanager's (`notify.DedupStage`), with these differences, all deliberate: a
resolved message of an alert whose firing was told is never swallowed; an alert that resolved before it
was told is not told; an alert that leaves a silence is told again by `repeat_interval` only; an
acknowledged alert is not repeated.

Nothing is remembered here: `apply` gives the group and members as they are once the message is committed, and
deciding again from there tells nobody anything.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from rules.alerts.grouping import first_flush_ms, tick_at_or_after, tick_at_or_before
from rules.alerts.inhibition import InhibitionIndex
from rules.alerts.silences import SilenceIndex

Told: TypeAlias = Literal["", "firing", "resolved"]


class FlushReason(enum.StrEnum):
    """Why a message is sent, or is not."""

    NEW_ALERTS = "new_alerts"
    RESOLVED = "resolved"
    SNOOZE_ENDED = "snooze_ended"
    REPEAT = "repeat"
    NOTHING_NEW = "nothing_new"
    ALL_SUPPRESSED = "all_suppressed"
    EMPTY = "empty"

    @property
    def sends(self) -> bool:
        """Whether a message goes out."""
        return self in _SENDING


_SENDING = frozenset(
    {FlushReason.NEW_ALERTS, FlushReason.RESOLVED, FlushReason.SNOOZE_ENDED, FlushReason.REPEAT}
)


class MemberReason(enum.StrEnum):
    """Why a member is in the message, or is not."""

    SENT = "sent"
    ALREADY_SENT = "already_sent"
    INHIBITED = "inhibited"
    OUTSIDE_ACTIVE_INTERVAL = "outside_active_interval"
    MUTED_BY_INTERVAL = "muted_by_interval"
    SILENCED = "silenced"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    FLAPPING = "flapping"
    RESOLVED_BEFORE_SENT = "resolved_before_sent"
    RESOLVED_NOT_WANTED = "resolved_not_wanted"


PASSING = frozenset(
    {
        MemberReason.INHIBITED,
        MemberReason.OUTSIDE_ACTIVE_INTERVAL,
        MemberReason.MUTED_BY_INTERVAL,
        MemberReason.SILENCED,
        MemberReason.SNOOZED,
        MemberReason.FLAPPING,
    }
)
"""What may end by itself, so that the group looks again at its next tick."""


@dataclass(frozen=True, slots=True)
class Timers:
    """The route's timers, in milliseconds."""

    group_wait_ms: int
    group_interval_ms: int
    repeat_interval_ms: int


@dataclass(frozen=True, slots=True)
class GroupState:
    """A group at one receiver. `anchor_ms` is its first flush, `last_notified_ms` the `now_ms` of the
    decision that last sent a message; None before.
    """

    key: str
    receiver: str
    anchor_ms: int | None = None
    last_notified_ms: int | None = None
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """An alert as the group knows it. `sent` is the last state that this receiver was told."""

    alert_id: str
    fingerprint: int
    labels: Mapping[str, str]
    state: Literal["firing", "resolved"]
    starts_ms: int
    ends_ms: int | None = None
    sent: Told = ""
    acknowledged: bool = False
    snoozed_until_ms: int | None = None
    damped: bool = False
    last_reason: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What decides over the members. `muted_by` names the route's mute interval that is on now, if any;
    `outside_active` its active intervals if it has some and none is on.
    """

    timers: Timers
    silences: SilenceIndex
    inhibition: InhibitionIndex
    now_ms: int
    send_resolved: bool = True
    muted_by: str | None = None
    outside_active: str | None = None


class Verdict(NamedTuple):
    """What became of one member; `detail` names the silence, the inhibiting alert or the interval."""

    alert_id: str
    reason: MemberReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FlushDecision:
    """What the group does now. `told` is the message: everything that fires and is not suppressed, and
    what is newly resolved; empty when nothing is sent. `forget` are members the group need not know any
    longer.
    """

    reason: FlushReason
    told: tuple[Member, ...]
    verdicts: tuple[Verdict, ...]
    next_flush_ms: int | None
    forget: tuple[str, ...]
    anchor_ms: int
    generation: int


@dataclass(slots=True)
class _Sorted:
    """The members by what may be done with them."""

    heard: list[Member]
    """Firing and not suppressed."""
    ended: list[Member]
    """Resolved, to be told."""
    verdicts: list[Verdict]
    forget: list[str]
    passing: bool = False
    """Whether something is suppressed that may end by itself."""


def decide(group: GroupState, members: Sequence[Member], context: Context) -> FlushDecision:
    """Whether the group sends a message now, with whom in it, and when it looks again."""
    anchor_ms = context.now_ms if group.anchor_ms is None else group.anchor_ms
    sorted_members = _sort(members, context)
    reason = _reason(group, sorted_members, context, anchor_ms)
    told = (*sorted_members.heard, *sorted_members.ended) if reason.sends else ()
    silent = MemberReason.SENT if reason.sends else MemberReason.ALREADY_SENT
    verdicts = [
        *sorted_members.verdicts,
        *(Verdict(member.alert_id, silent) for member in sorted_members.heard),
    ]
    verdicts += [Verdict(member.alert_id, MemberReason.SENT) for member in sorted_members.ended]
    return FlushDecision(
        reason=reason,
        told=told,
        verdicts=tuple(verdicts),
        next_flush_ms=_next_flush(group, sorted_members, context, anchor_ms=anchor_ms, sends=reason.sends),
        forget=tuple(sorted_members.forget),
        anchor_ms=anchor_ms,
        generation=group.generation + reason.sends,
    )


def heard(members: Sequence[Member], context: Context) -> list[Member]:
    """Members that fire and that nothing and nobody keeps quiet now."""
    return _sort(members, context).heard


def _sort(members: Sequence[Member], context: Context) -> _Sorted:
    found = _Sorted([], [], [], [])
    for member in members:
        if member.state == "resolved":
            _sort_resolved(member, context, found)
            continue
        suppressed = _suppression(member, context)
        if suppressed is None:
            found.heard.append(member)
        else:
            found.verdicts.append(suppressed)
            found.passing = found.passing or suppressed.reason in PASSING
    return found


def _sort_resolved(member: Member, context: Context, found: _Sorted) -> None:
    found.forget.append(member.alert_id)
    if member.sent == "firing" and context.send_resolved:
        found.ended.append(member)
    elif member.sent == "firing":
        found.verdicts.append(Verdict(member.alert_id, MemberReason.RESOLVED_NOT_WANTED))
    elif member.sent == "resolved":
        found.verdicts.append(Verdict(member.alert_id, MemberReason.ALREADY_SENT))
    else:
        found.verdicts.append(Verdict(member.alert_id, MemberReason.RESOLVED_BEFORE_SENT))


def _suppression(member: Member, context: Context) -> Verdict | None:
    """What keeps a firing member out of the message, in Alertmanager's order, then by people and noise."""
    inhibited = context.inhibition.inhibitor(member.alert_id, member.labels)
    if inhibited is not None:
        return Verdict(member.alert_id, MemberReason.INHIBITED, inhibited.source_alert_id)
    if context.outside_active is not None:
        return Verdict(member.alert_id, MemberReason.OUTSIDE_ACTIVE_INTERVAL, context.outside_active)
    if context.muted_by is not None:
        return Verdict(member.alert_id, MemberReason.MUTED_BY_INTERVAL, context.muted_by)
    silence = context.silences.find(member.labels, context.now_ms)
    if silence is not None:
        return Verdict(member.alert_id, MemberReason.SILENCED, silence.id)
    return _own_suppression(member, context.now_ms)


def _own_suppression(member: Member, now_ms: int) -> Verdict | None:
    if member.acknowledged:
        return Verdict(member.alert_id, MemberReason.ACKNOWLEDGED)
    if member.snoozed_until_ms is not None and now_ms < member.snoozed_until_ms:
        return Verdict(member.alert_id, MemberReason.SNOOZED)
    if member.damped:
        return Verdict(member.alert_id, MemberReason.FLAPPING)
    return None


def _reason(group: GroupState, found: _Sorted, context: Context, anchor_ms: int) -> FlushReason:
    if any(member.sent != "firing" for member in found.heard):
        return FlushReason.NEW_ALERTS
    if found.ended:
        return FlushReason.RESOLVED
    if found.heard:
        if any(_snooze_ended(member, group, context.now_ms) for member in found.heard):
            return FlushReason.SNOOZE_ENDED
        due_ms = _repeat_due_ms(group, context.timers, anchor_ms)
        return FlushReason.REPEAT if context.now_ms >= due_ms else FlushReason.NOTHING_NEW
    if len(found.verdicts) > len(found.forget):
        return FlushReason.ALL_SUPPRESSED
    return FlushReason.EMPTY


def _snooze_ended(member: Member, group: GroupState, now_ms: int) -> bool:
    """A snooze that ended since the last message asks to be told again."""
    if member.snoozed_until_ms is None or group.last_notified_ms is None:
        return False
    return group.last_notified_ms < member.snoozed_until_ms <= now_ms


def _repeat_due_ms(group: GroupState, timers: Timers, anchor_ms: int) -> int:
    """Counted from the tick of the last message, so that a flush some milliseconds late delays no repeat."""
    if group.last_notified_ms is None:
        return anchor_ms
    tick_ms = tick_at_or_before(anchor_ms, timers.group_interval_ms, group.last_notified_ms)
    return tick_ms + timers.repeat_interval_ms


def _next_flush(
    group: GroupState, found: _Sorted, context: Context, *, anchor_ms: int, sends: bool
) -> int | None:
    timers, now_ms = context.timers, context.now_ms
    next_tick_ms = tick_at_or_after(anchor_ms, timers.group_interval_ms, now_ms + 1)
    if found.passing:
        return next_tick_ms
    if not found.heard:
        return None
    after = replace(group, last_notified_ms=now_ms) if sends else group
    due_ms = _repeat_due_ms(after, timers, anchor_ms)
    return max(next_tick_ms, tick_at_or_after(anchor_ms, timers.group_interval_ms, due_ms))


def flush_after_change_ms(group: GroupState, timers: Timers, *, now_ms: int, starts_ms: int) -> int:
    """When the group must be flushed because a member changed now; `starts_ms` is when that alert began."""
    if group.anchor_ms is None:
        return first_flush_ms(now_ms, starts_ms, timers.group_wait_ms)
    return tick_at_or_after(group.anchor_ms, timers.group_interval_ms, now_ms)


def apply(
    group: GroupState, members: Sequence[Member], decision: FlushDecision, *, now_ms: int
) -> tuple[GroupState, tuple[Member, ...]]:
    """The group and its members once the decision is committed."""
    told = {member.alert_id for member in decision.told}
    forgotten = set(decision.forget)
    reasons = {verdict.alert_id: verdict.reason for verdict in decision.verdicts}
    after = tuple(
        replace(
            member,
            sent=member.state if member.alert_id in told else member.sent,
            last_reason=reasons[member.alert_id],
        )
        for member in members
        if member.alert_id not in forgotten
    )
    last_ms = now_ms if decision.reason.sends else group.last_notified_ms
    return replace(
        group, anchor_ms=decision.anchor_ms, last_notified_ms=last_ms, generation=decision.generation
    ), after
