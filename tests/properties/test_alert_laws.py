"""Laws of what a group says: nothing twice, nothing swallowed, nothing more for a silence."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rules.alerts.flushing import Context, GroupState, Member, MemberReason, Timers, apply, decide
from rules.alerts.grouping import group_key, group_labels
from rules.alerts.inhibition import InhibitionIndex, InhibitionRule
from rules.alerts.matchers import parse_matchers
from rules.alerts.routes import RouteSpec, build_tree
from rules.alerts.silences import Silence, SilenceIndex

NOW_MS = 1_000_000_000
TIMERS = Timers(group_wait_ms=30_000, group_interval_ms=300_000, repeat_interval_ms=14_400_000)
LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y"]), max_size=3)
MATCHERS = st.sampled_from(['{a="x"}', '{b!="x"}', '{c=~"x|y"}', '{a="x",b="y"}', "{}"]).map(parse_matchers)
SILENCES = st.builds(
    Silence,
    id=st.uuids().map(str),
    matchers=MATCHERS,
    starts_ms=st.just(0),
    ends_ms=st.sampled_from([NOW_MS, NOW_MS + 1]),
    approved=st.booleans(),
)
RULES = st.builds(
    InhibitionRule,
    id=st.just("rule"),
    source=MATCHERS,
    target=MATCHERS,
    equal=st.sampled_from([(), ("a",), ("b", "c")]),
)


@st.composite
def members(draw):
    """Up to six alerts in every state a group may find them in."""
    return [
        Member(
            alert_id=str(number),
            fingerprint=number,
            labels=draw(LABELS),
            state=draw(st.sampled_from(["firing", "resolved"])),
            starts_ms=0,
            sent=draw(st.sampled_from(["", "firing", "resolved"])),
            acknowledged=draw(st.booleans()),
            snoozed_until_ms=draw(st.sampled_from([None, NOW_MS - 1, NOW_MS + 1])),
            damped=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 6)))
    ]


@st.composite
def worlds(draw):
    """A group, its members, and what may keep them quiet."""
    found = draw(members())
    firing = [(member.alert_id, member.labels) for member in found if member.state == "firing"]
    context = Context(
        timers=TIMERS,
        silences=SilenceIndex(draw(st.lists(SILENCES, max_size=3))),
        inhibition=InhibitionIndex(draw(st.lists(RULES, max_size=2)), firing),
        now_ms=NOW_MS,
        send_resolved=draw(st.booleans()),
        muted_by=draw(st.sampled_from([None, "weekend"])),
        outside_active=draw(st.sampled_from([None, "office"])),
    )
    last_ms = draw(st.sampled_from([None, NOW_MS - 300_000, NOW_MS - 14_400_000]))
    return GroupState("key", "receiver", anchor_ms=last_ms, last_notified_ms=last_ms), found, context


@given(worlds())
def test_flushing_twice_tells_what_flushing_once_tells(world):
    group, found, context = world
    once = apply(group, found, decide(group, found, context), now_ms=NOW_MS)

    again = decide(*once, context)

    assert again.told == ()
    assert not again.reason.sends
    left = apply(*once, again, now_ms=NOW_MS)
    assert left[0] == once[0]
    assert {m.alert_id for m in left[1]} <= {m.alert_id for m in once[1]}


@given(worlds(), SILENCES)
def test_a_silence_never_adds_a_notification(world, silence):
    group, found, context = world
    silenced = replace(context, silences=SilenceIndex([silence]))
    unsilenced = replace(context, silences=SilenceIndex([]))

    told = {member.alert_id for member in decide(group, found, silenced).told}

    assert told <= {member.alert_id for member in decide(group, found, unsilenced).told}


@given(worlds())
def test_a_told_alert_that_resolved_is_always_told(world):
    group, found, context = world
    decision = decide(group, found, replace(context, send_resolved=True))

    owed = {m.alert_id for m in found if m.state == "resolved" and m.sent == "firing"}

    assert owed <= {member.alert_id for member in decision.told}


@given(worlds())
def test_every_member_has_one_verdict_and_the_message_agrees_with_it(world):
    group, found, context = world
    decision = decide(group, found, context)

    assert sorted(v.alert_id for v in decision.verdicts) == [member.alert_id for member in found]
    sent = {v.alert_id for v in decision.verdicts if v.reason is MemberReason.SENT}
    assert sent == {member.alert_id for member in decision.told}
    assert bool(decision.told) is decision.reason.sends


@given(worlds())
def test_the_next_flush_lies_ahead_on_the_grid(world):
    group, found, context = world
    decision = decide(group, found, context)

    if decision.next_flush_ms is not None:
        assert decision.next_flush_ms > NOW_MS
        assert (decision.next_flush_ms - decision.anchor_ms) % TIMERS.group_interval_ms == 0


@given(st.lists(LABELS, max_size=8), st.sampled_from([None, (), ("a",), ("a", "b"), ("...",)]))
def test_grouping_is_a_partition(alerts, group_by):
    route = build_tree(RouteSpec("root", ("mail",), group_by=group_by))
    keys = [group_key(route, "mail", group_labels(route, labels)) for labels in alerts]

    for labels, key in zip(alerts, keys, strict=True):
        for other, other_key in zip(alerts, keys, strict=True):
            same = group_labels(route, labels) == group_labels(route, other)
            assert same is (key == other_key)
