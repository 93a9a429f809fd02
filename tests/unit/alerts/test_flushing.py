"""What a group says, and why."""

from dataclasses import replace

import pytest

from rules.alerts.flushing import Context, GroupState, Member, Timers, apply, decide, flush_after_change_ms
from rules.alerts.inhibition import InhibitionIndex, InhibitionRule
from rules.alerts.matchers import parse_matchers
from rules.alerts.silences import Silence, SilenceIndex

MINUTE_MS = 60_000
NOW_MS = 1000 * MINUTE_MS
TIMERS = Timers(30_000, 5 * MINUTE_MS, 240 * MINUTE_MS)
QUIET = Context(TIMERS, SilenceIndex([]), InhibitionIndex([], []), NOW_MS)
SILENCED = replace(QUIET, silences=SilenceIndex([Silence("s1", (), 0, NOW_MS + 1)]))
INHIBITED = replace(
    QUIET,
    inhibition=InhibitionIndex([InhibitionRule("r", parse_matchers("up=no"), ())], [("x", {"up": "no"})]),
)
FRESH = GroupState("key", "mail", anchor_ms=NOW_MS - 5 * MINUTE_MS, last_notified_ms=NOW_MS - 5 * MINUTE_MS)
OLD = GroupState("key", "mail", anchor_ms=NOW_MS - 240 * MINUTE_MS, last_notified_ms=NOW_MS - 240 * MINUTE_MS)


def member(sent="", state="firing", **fields):
    return Member("1", 1, {"a": "b"}, state, 0, sent=sent, **fields)


FIRED, TOLD, ENDED = member(), member("firing"), member("firing", "resolved")
TICK, REPEAT = 5, 235


@pytest.mark.parametrize(
    ("group", "found", "context", "reason", "verdict", "next_minutes"),
    [
        pytest.param(FRESH, FIRED, QUIET, "new_alerts", ("sent", ""), 240, id="new"),
        pytest.param(FRESH, TOLD, QUIET, "nothing_new", ("already_sent", ""), REPEAT, id="told"),
        pytest.param(OLD, TOLD, QUIET, "repeat", ("sent", ""), 240, id="repeat"),
        pytest.param(FRESH, ENDED, QUIET, "resolved", ("sent", ""), None, id="resolved"),
        pytest.param(FRESH, ENDED, SILENCED, "resolved", ("sent", ""), None, id="no silence swallows it"),
        pytest.param(FRESH, ENDED, INHIBITED, "resolved", ("sent", ""), None, id="no inhibition swallows it"),
        pytest.param(
            FRESH,
            ENDED,
            replace(QUIET, muted_by="night"),
            "resolved",
            ("sent", ""),
            None,
            id="no interval either",
        ),
        pytest.param(
            FRESH, replace(ENDED, acknowledged=True), QUIET, "resolved", ("sent", ""), None, id="nor a person"
        ),
        pytest.param(
            FRESH,
            ENDED,
            replace(QUIET, send_resolved=False),
            "empty",
            ("resolved_not_wanted", ""),
            None,
            id="the receiver wants no resolved",
        ),
        pytest.param(
            FRESH, member("", "resolved"), QUIET, "empty", ("resolved_before_sent", ""), None, id="never told"
        ),
        pytest.param(
            FRESH,
            member("resolved", "resolved"),
            QUIET,
            "empty",
            ("already_sent", ""),
            None,
            id="told already",
        ),
        pytest.param(FRESH, FIRED, SILENCED, "all_suppressed", ("silenced", "s1"), TICK, id="silenced"),
        pytest.param(FRESH, FIRED, INHIBITED, "all_suppressed", ("inhibited", "x"), TICK, id="inhibited"),
        pytest.param(
            FRESH,
            FIRED,
            replace(QUIET, muted_by="night"),
            "all_suppressed",
            ("muted_by_interval", "night"),
            TICK,
            id="muted",
        ),
        pytest.param(
            FRESH,
            FIRED,
            replace(QUIET, outside_active="office"),
            "all_suppressed",
            ("outside_active_interval", "office"),
            TICK,
            id="outside",
        ),
        pytest.param(
            OLD,
            member("firing", acknowledged=True),
            QUIET,
            "all_suppressed",
            ("acknowledged", ""),
            None,
            id="ack",
        ),
        pytest.param(
            OLD,
            member("firing", snoozed_until_ms=NOW_MS + 1),
            QUIET,
            "all_suppressed",
            ("snoozed", ""),
            TICK,
            id="snoozed",
        ),
        pytest.param(
            FRESH,
            member("firing", snoozed_until_ms=NOW_MS),
            QUIET,
            "snooze_ended",
            ("sent", ""),
            240,
            id="the snooze ended",
        ),
        pytest.param(
            FRESH, member(damped=True), QUIET, "all_suppressed", ("flapping", ""), TICK, id="flapping"
        ),
    ],
)
def test_a_group_of_one(group, found, context, reason, verdict, next_minutes):
    decision = decide(group, [found], context)

    assert decision.reason == reason
    assert decision.verdicts == (("1", *verdict),)
    assert decision.reason.sends is bool(decision.told)
    expected = None if next_minutes is None else NOW_MS + next_minutes * MINUTE_MS
    assert decision.next_flush_ms == expected


def test_the_whole_group_goes_when_one_is_new():
    found = [TOLD, replace(FIRED, alert_id="2"), replace(ENDED, alert_id="3")]
    decision = decide(FRESH, found, QUIET)

    assert [told.alert_id for told in decision.told] == ["1", "2", "3"]
    assert decision.forget == ("3",)
    assert decision.generation == FRESH.generation + 1

    group, left = apply(FRESH, found, decision, now_ms=NOW_MS)
    assert group.last_notified_ms == NOW_MS
    assert [(m.alert_id, m.sent, m.last_reason) for m in left] == [
        ("1", "firing", "sent"),
        ("2", "firing", "sent"),
    ]


def test_a_group_without_members_ends():
    decision = decide(FRESH, [], QUIET)

    assert (decision.reason, decision.next_flush_ms) == ("empty", None)


def test_the_first_flush_sets_the_anchor():
    assert decide(GroupState("key", "mail"), [FIRED], QUIET).anchor_ms == NOW_MS


def test_a_flush_that_came_late_delays_no_repeat():
    late = replace(OLD, last_notified_ms=OLD.last_notified_ms + 700)

    assert decide(late, [TOLD], QUIET).reason == "repeat"


def test_a_change_waits_for_the_next_tick():
    assert flush_after_change_ms(FRESH, TIMERS, now_ms=NOW_MS + 1, starts_ms=0) == NOW_MS + 5 * MINUTE_MS
    assert flush_after_change_ms(GroupState("k", "m"), TIMERS, now_ms=9, starts_ms=9) == 30_009
