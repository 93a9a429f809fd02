"""Timeline tests: from series to messages in one file, by the code that runs live.

In: the text of a timeline, limits, an expander of templates. Out: what differed from what was expected,
and when. Time is the timeline's: rules are evaluated every `step`, groups flush when their timers ring in
between.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from alertsite.core.durations import format_duration_ms
from alertsite.core.errors import InvalidParameter
from alertsite.core.identifiers import RuleId
from alertsite.core.labels import LabelSet, fingerprint, format_labels
from rules.alerts.alertmanager_config import AlertmanagerConfig, route_spec
from rules.alerts.flapping import Flapping, FlappingTerms, judge
from rules.alerts.flushing import (
    Context,
    GroupState,
    Member,
    Timers,
    apply,
    decide,
    flush_after_change_ms,
)
from rules.alerts.grouping import group_key, group_labels
from rules.alerts.inhibition import InhibitionIndex, InhibitionRule
from rules.alerts.intervals import first_containing
from rules.alerts.matchers import parse_matchers
from rules.alerts.recurrence import Recurrence
from rules.alerts.routes import Route, build_tree, match
from rules.alerts.silences import Silence, SilenceIndex
from rules.alerts.timelinefile import DEFAULT_RECEIVER, InvalidTimeline, Timeline, parse_timeline
from rules.evaluation.program import ShardProgram
from rules.evaluation.publishing import SeriesPublisher
from rules.evaluation.ruletests import specs_of
from rules.evaluation.specs import RuleSpec
from rules.evaluation.states import NEVER, ActiveAlerts
from rules.evaluation.tick import ALERT_NAME, Expander, Surroundings, run_tick
from rules.language.engine import EvaluationLimits
from rules.language.errors import QueryTimeout
from rules.language.notation import MAX_VALUES, parse_series, parse_values
from rules.series.backends.memory import MemorySeries
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch

MAX_STEPS = 10_000
_ANY_TIME = SeriesLimits(lateness_ms=1 << 60, future_ms=1 << 60)


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met."""

    at_ms: int
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        at = format_duration_ms(self.at_ms)
        return f"{at}, {self.what}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class TimelineReport:
    """How a timeline went. It passed if nothing differs."""

    differences: tuple[Difference, ...]
    messages: tuple[tuple[int, str, tuple[str, ...]], ...]
    """All messages: time, receiver, what was told."""


def run_timeline(text: str, expander: Expander, limits: EvaluationLimits) -> TimelineReport:
    """Play a timeline and compare.

    Raises
    ------
    PlatformError
        If the file or one of its parts is malformed, or `limits` run out.
    """
    timeline = parse_timeline(text)
    last_ms = max(timeline.expect, default=0)
    if last_ms // timeline.step > MAX_STEPS:
        raise InvalidParameter("expect", f"{last_ms // timeline.step} steps", f"at most {MAX_STEPS}")
    alerting = _Alerting(timeline, timeline.config(), last_ms)
    differences: list[Difference] = []
    for at_ms, states in _evaluations(timeline, expander, limits, last_ms):
        alerting.flush_due(before_ms=at_ms)
        alerting.observe(at_ms, states)
        alerting.flush_due(before_ms=at_ms + 1)
        if at_ms in timeline.expect:
            differences += _compare(timeline, at_ms, states, alerting)
    missed = [at_ms for at_ms in timeline.expect if at_ms % timeline.step]
    if missed:
        raise InvalidTimeline(f"{format_duration_ms(missed[0])} is no multiple of the step")
    return TimelineReport(tuple(differences), tuple(alerting.messages))


States = Mapping[LabelSet, str]
"""Pending and firing alerts by their labels."""


def _evaluations(
    timeline: Timeline, expander: Expander, limits: EvaluationLimits, last_ms: int
) -> Iterator[tuple[int, States]]:
    """The states of all alerts after each tick."""
    specs: list[RuleSpec] = specs_of(timeline.rule_groups(), ())
    store = _loaded(timeline)
    program, recorded = ShardProgram(specs), dict[RuleId, set[LabelSet]]()
    alerts, labels = ActiveAlerts.none(), list[LabelSet]()
    for at_ms in range(0, last_ms + 1, timeline.step):
        if limits.out_of_time():
            raise QueryTimeout
        publisher = SeriesPublisher(store, program, recorded, now_ms=at_ms)
        around = Surroundings(store, limits, expander, publisher.publish)
        tick = run_tick(program, alerts, labels, around, at_ms)
        for error in tick.errors.values():
            raise error
        alerts, labels = tick.alerts, tick.labels
        fired = alerts.fired_at_ms != NEVER
        yield (
            at_ms,
            {one: "firing" if fires else "pending" for one, fires in zip(labels, fired, strict=True)},
        )


def _loaded(timeline: Timeline) -> MemorySeries:
    store = MemorySeries(_ANY_TIME)
    room = MAX_VALUES
    for series, notation in timeline.load.items():
        values = parse_values(notation, room)
        room -= len(values)
        rows = [(index * timeline.step, value) for index, value in enumerate(values) if value is not None]
        times = np.array([at_ms for at_ms, _ in rows], np.int64)
        numbers = np.array([value for _, value in rows], np.float64)
        places = np.zeros(len(rows), np.int64)
        store.append(SampleBatch([parse_series(series)], places, times, numbers), now_ms=0)
    return store


@dataclass(slots=True)
class _Group:
    """A group under way. Times are those of the timeline."""

    route: Route
    state: GroupState
    due_ms: int | None
    members: dict[str, Member] = field(default_factory=dict)


class _Alerting:
    """Everything between the alerts and their messages, as it stands at one moment."""

    def __init__(self, timeline: Timeline, config: AlertmanagerConfig, last_ms: int) -> None:
        self.messages: list[tuple[int, str, tuple[str, ...]]] = []
        self.verdicts: dict[str, set[str]] = defaultdict(set)
        self._timeline = timeline
        names = {receiver.name: (receiver.name,) for receiver in config.receivers}
        self._root = build_tree(route_spec(config.route, names))
        self._intervals = {interval.name: interval for interval in config.intervals}
        self._rules = [
            InhibitionRule(str(number), rule.source, rule.target, rule.equal)
            for number, rule in enumerate(config.inhibitions, start=1)
        ]
        self._silences = SilenceIndex(list(_silences(timeline, last_ms)))
        self._groups: dict[str, _Group] = {}
        self._firing: dict[str, LabelSet] = {}
        self._marks: dict[str, dict[str, Any]] = defaultdict(dict)
        self._changed: dict[str, list[int]] = defaultdict(list)
        self._flapping: dict[str, Flapping] = {}
        self._actions = sorted(timeline.actions, key=lambda action: action.at)

    def observe(self, at_ms: int, states: States) -> None:
        """Take over what fires now, and what people did until now."""
        firing = {format_labels(labels): labels for labels, state in states.items() if state == "firing"}
        for alert_id in self._firing.keys() ^ firing.keys():
            self._changed[alert_id].append(at_ms)
        for alert_id in sorted(self._firing.keys() - firing.keys()):
            self._marks.pop(alert_id, None)
            for group in self._groups.values():
                if alert_id in group.members:
                    member = replace(group.members[alert_id], state="resolved", ends_ms=at_ms)
                    self._join(group, member, at_ms)
        for alert_id in sorted(firing.keys() - self._firing.keys()):
            self._route(alert_id, firing[alert_id], at_ms)
        self._firing = firing
        self._act(at_ms)

    def _route(self, alert_id: str, labels: LabelSet, at_ms: int) -> None:
        known = dict(labels)
        fresh = Member(alert_id, fingerprint(labels), known, "firing", at_ms)
        for route, _ in match(self._root, known):
            for receiver in route.receivers:
                key = group_key(route, receiver, group_labels(route, known))
                group = self._groups.setdefault(key, _Group(route, GroupState(key, receiver), None))
                before = group.members.get(alert_id)
                self._join(group, replace(fresh, sent=before.sent if before else ""), at_ms)

    def _join(self, group: _Group, member: Member, at_ms: int) -> None:
        group.members[member.alert_id] = member
        due_ms = flush_after_change_ms(
            group.state, _timers(group.route), now_ms=at_ms, starts_ms=member.starts_ms
        )
        group.due_ms = due_ms if group.due_ms is None else min(group.due_ms, due_ms)

    def _act(self, at_ms: int) -> None:
        while self._actions and self._actions[0].at <= at_ms:
            action = self._actions.pop(0)
            for alert_id, labels in self._firing.items():
                if dict(labels)[ALERT_NAME] != action.alert:
                    continue
                if action.do == "snooze":
                    until_ms = action.until or 0
                    self._marks[alert_id]["snoozed_until_ms"] = self._timeline.start_ms + until_ms
                else:
                    self._marks[alert_id]["acknowledged"] = action.do == "acknowledge"

    def flush_due(self, *, before_ms: int) -> None:
        """Flush every group whose timer rings before this moment, in the order of time."""
        while True:
            due = [
                (group.due_ms, key)
                for key, group in self._groups.items()
                if group.due_ms is not None and group.due_ms < before_ms
            ]
            if not due:
                return
            at_ms, key = min(due)
            self._flush(self._groups[key], at_ms)

    def _flush(self, group: _Group, at_ms: int) -> None:
        members = [self._marked(member, at_ms) for member in group.members.values()]
        start_ms = self._timeline.start_ms
        wall = replace(
            group.state,
            anchor_ms=None if group.state.anchor_ms is None else group.state.anchor_ms + start_ms,
            last_notified_ms=_shifted(group.state.last_notified_ms, start_ms),
        )
        decision = decide(wall, members, self._context(group.route, start_ms + at_ms))
        state, left = apply(wall, members, decision, now_ms=start_ms + at_ms)
        group.state = replace(
            state,
            anchor_ms=_shifted(state.anchor_ms, -start_ms),
            last_notified_ms=_shifted(state.last_notified_ms, -start_ms),
        )
        group.members = {member.alert_id: member for member in left}
        group.due_ms = _shifted(decision.next_flush_ms, -start_ms)
        names = {member.alert_id: member.labels[ALERT_NAME] for member in members}
        for name in set(names.values()):
            self.verdicts[name] = set()
        for verdict in decision.verdicts:
            self.verdicts[names[verdict.alert_id]].add(verdict.reason)
        if decision.reason.sends:
            told = tuple(sorted(_told(member) for member in decision.told))
            self.messages.append((at_ms, group.state.receiver, told))
        if not group.members:
            del self._groups[group.state.key]

    def _marked(self, member: Member, at_ms: int) -> Member:
        marks = self._marks[member.alert_id]
        terms = self._timeline.flapping
        damped = False
        if terms is not None:
            flapping = judge(
                self._changed[member.alert_id],
                FlappingTerms(terms.window, terms.start, terms.stop),
                before=self._flapping.get(member.alert_id),
                now_ms=at_ms,
            )
            self._flapping[member.alert_id] = flapping
            damped = flapping.state
        return replace(member, damped=damped, **marks)

    def _context(self, route: Route, now_ms: int) -> Context:
        active = route.active_names
        outside = active and first_containing(active, self._intervals, now_ms) is None
        return Context(
            timers=_timers(route),
            silences=self._silences,
            inhibition=InhibitionIndex(
                self._rules, ((alert_id, dict(labels)) for alert_id, labels in self._firing.items())
            ),
            now_ms=now_ms,
            send_resolved=self._timeline.send_resolved,
            muted_by=first_containing(route.mute_names, self._intervals, now_ms),
            outside_active=", ".join(active) if outside else None,
        )


def _shifted(at_ms: int | None, by_ms: int) -> int | None:
    return None if at_ms is None else at_ms + by_ms


def _timers(route: Route) -> Timers:
    return Timers(route.group_wait_ms, route.group_interval_ms, route.repeat_interval_ms)


def _told(member: Member) -> str:
    name = member.labels[ALERT_NAME]
    return name if member.state == "firing" else f"{name} resolved"


def _silences(timeline: Timeline, last_ms: int) -> Iterator[Silence]:
    for one in timeline.silences:
        recurrence = None
        starts_ms = timeline.start_ms + one.begin
        if one.recurrence is not None:
            recurrence = Recurrence(one.recurrence, one.duration or 0, one.timezone)
            recurrence.check(starts_ms)
        ends_ms = timeline.start_ms + (last_ms + 1 if one.until is None else one.until)
        yield Silence(one.id, parse_matchers(one.matchers), starts_ms, ends_ms, recurrence, one.approved)


def _compare(timeline: Timeline, at_ms: int, states: States, alerting: _Alerting) -> Iterator[Difference]:
    """What differs at one moment: states, reasons, and the messages since the step before."""
    for name, wanted in timeline.expect[at_ms].items():
        if name == "notified":
            expected, found = sorted(map(str, wanted)), _notified(timeline, at_ms, alerting)
        elif name == "why":
            expected = sorted(f"{alert} {reason}" for alert, reason in wanted.items())
            found = sorted(f"{alert} {', '.join(sorted(alerting.verdicts[alert]))}" for alert in wanted)
        else:
            of_name = Counter(state for labels, state in states.items() if dict(labels)[ALERT_NAME] == name)
            expected, found = [str(wanted)], [", ".join(sorted(of_name)) or "inactive"]
        if expected != found:
            yield Difference(at_ms, name, str(expected), str(found))


def _notified(timeline: Timeline, at_ms: int, alerting: _Alerting) -> list[str]:
    since_ms = at_ms - timeline.step
    return sorted(
        told if receiver == DEFAULT_RECEIVER else f"{receiver}: {told}"
        for sent_ms, receiver, names in alerting.messages
        if since_ms < sent_ms <= at_ms
        for told in names
    )
