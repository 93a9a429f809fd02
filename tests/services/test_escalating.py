"""Escalation: begun by a message, one step at a time, stopped by an answer, forgotten by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DataError

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertInstance, Escalation, OutboxMessage, Route, Team
from rules.services import escalation_steps, handling, people, receivers, routes, silencing, timers, tracing
from rules.services.authoring import Author
from rules.services.silencing import SilenceDraft
from tests.factories.notifying import flush_due, make_route, post, told
from tests.factories.people import make_person, make_policy, make_schedule, steps_told
from tests.factories.rows import AUTHOR, NOON, make_receiver, make_tenant
from tests.fakes.clock import FakeClock

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


@pytest.fixture
def ann(tenant: Tenant):
    return make_person(tenant, "ann")


@pytest.fixture
def bob(tenant: Tenant):
    return make_person(tenant, "bob")


def fire(clock: FakeClock, tenant: Tenant, policy, **route) -> Route:
    """A route with the policy, and an alert that it told of."""
    values = {"group_by": ["alertname"], "group_wait_s": 0, "group_interval_s": 60, "repeat_interval_s": 3600}
    root = make_route(tenant, escalation_policy=policy, **values | route)
    post(tenant, {"n": "1"}, ends_at=NOON + 24 * HOUR)
    flush_due(clock)
    return root


def later(clock: FakeClock, **delta: float) -> int:
    clock.advance(**delta)
    return escalation_steps.run_due(now=clock.now())


def by(clock: FakeClock, tenant: Tenant) -> handling.Handler:
    return handling.Handler(tenant.pk, Author("eve", clock.now()))


def ids(tenant: Tenant) -> list:
    return list(AlertInstance.objects.for_tenant(tenant).order_by("labels__n").values_list("pk", flat=True))


def status(tenant: Tenant) -> str:
    return Escalation.objects.for_tenant(tenant).order_by("-started_at", "pk").first().status


def test_steps_are_taken_in_time_each_with_a_message_of_its_own(clock, tenant, ann, bob):
    fire(clock, tenant, make_policy(tenant, ("0s", ann), ("5m", bob)))
    assert later(clock, seconds=0) == 1
    assert later(clock, minutes=4) == 0
    assert later(clock, minutes=1) == 1
    assert steps_told(tenant) == ["person ann", "person bob"]
    assert (told(tenant, ann.receivers.get()), told(tenant, bob.receivers.get())) == ([["firing 1"]],) * 2
    messages = OutboxMessage.objects.for_tenant(tenant).filter(reason="escalation")
    assert len({message.idempotency_key for message in messages}) == 2
    assert status(tenant) == "exhausted"


def test_a_step_is_part_of_the_story(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("0s", ann), name="night"))
    later(clock, seconds=0)
    entries, _ = tracing.in_words(tracing.trace(tenant.pk, ids(tenant)[0]), "en")
    assert "Escalation night, step 1: person ann was told." in [entry["text"] for entry in entries]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(lambda handler, alerts: handler.acknowledge(alerts), "acknowledged", id="acknowledge"),
        pytest.param(
            lambda handler, alerts: handler.snooze(alerts, handler.author.now + HOUR),
            "acknowledged",
            id="snooze",
        ),
        pytest.param(lambda handler, alerts: handler.resolve(alerts), "resolved", id="resolve by hand"),
    ],
)
def test_an_answer_stops_it_at_once(clock, tenant, ann, answer, expected):
    fire(clock, tenant, make_policy(tenant, ("5m", ann)))
    answer(by(clock, tenant), ids(tenant))
    assert status(tenant) == expected
    assert later(clock, minutes=5) == 0
    assert steps_told(tenant) == []


def test_an_answer_to_one_of_two_alerts_does_not_stop_it_and_tells_of_the_other(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("5m", ann)))
    post(tenant, {"n": "2"}, now=clock.now(), ends_at=NOON + 24 * HOUR)
    clock.advance(minutes=1)
    flush_due(clock)
    by(clock, tenant).acknowledge(ids(tenant)[:1])
    later(clock, minutes=4)
    assert told(tenant, ann.receivers.get()) == [["firing 2"]]
    by(clock, tenant).acknowledge(ids(tenant))
    assert Escalation.objects.for_tenant(tenant).filter(status="running").count() == 0


def test_the_end_of_the_alert_stops_it_with_the_flush_that_tells_it(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("5m", ann)))
    post(tenant, {"n": "1"}, now=clock.now(), ends_at=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    assert status(tenant) == "resolved"
    assert later(clock, minutes=5) == 0


def test_what_has_ended_is_not_told_and_goes_on_if_it_begins_again_before_the_flush(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("5m", ann)))
    post(tenant, {"n": "1"}, now=clock.now(), ends_at=clock.now())
    assert later(clock, minutes=5) == 0
    post(tenant, {"n": "1"}, now=clock.now(), ends_at=NOON + 24 * HOUR)
    flush_due(clock)
    assert later(clock, minutes=1) == 1
    assert steps_told(tenant) == ["person ann"]


def test_an_answer_taken_back_escalates_again(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("5m", ann)))
    by(clock, tenant).acknowledge(ids(tenant))
    by(clock, tenant).unacknowledge(ids(tenant))
    assert later(clock, minutes=5) == 1
    assert steps_told(tenant) == ["person ann"]


def test_a_new_alert_begins_anew_and_a_repeat_does_not(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("0s", ann)))
    later(clock, seconds=0)
    clock.advance(hours=1)
    flush_due(clock)
    assert later(clock, seconds=0) == 0
    post(tenant, {"n": "2"}, now=clock.now(), ends_at=NOON + 24 * HOUR)
    clock.advance(minutes=1)
    flush_due(clock)
    assert later(clock, seconds=0) == 1
    assert told(tenant, ann.receivers.get()) == [["firing 1"], ["firing 1", "firing 2"]]


def test_it_repeats_after_a_pause_then_hands_over(clock, tenant, ann, bob):
    last = make_policy(tenant, ("1m", bob), name="last")
    first = make_policy(
        tenant, ("0s", ann), name="first", repeat_count=1, repeat_delay_s=600, hand_over_to=last
    )
    fire(clock, tenant, first)
    taken = [later(clock, minutes=minutes) for minutes in (0, 9, 1, 10, 1)]
    assert taken == [1, 0, 1, 0, 1]
    assert steps_told(tenant) == ["person ann", "person ann", "person bob"]
    assert Escalation.objects.for_tenant(tenant).get().policy == last


def test_a_silence_holds_it_back_for_its_time(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("5m", ann)))
    draft = SilenceDraft(['n="1"'], clock.now(), clock.now() + timedelta(minutes=10), "maintenance")
    silencing.create_silence(tenant.pk, draft, Author("eve", clock.now()))
    assert later(clock, minutes=5) == 0
    assert status(tenant) == "running"
    assert later(clock, minutes=6) == 1
    assert steps_told(tenant) == ["person ann"]


def test_a_claim_is_taken_once_and_a_lost_worker_forgets_nothing(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("0s", ann)))
    lost = escalation_steps.claim_due(now=clock.now())
    assert escalation_steps.claim_due(now=clock.now()) == []
    assert later(clock, seconds=escalation_steps.LEASE.total_seconds()) == 1
    assert escalation_steps.take(lost, now=clock.now()) == 0
    assert steps_told(tenant) == ["person ann"]


def test_teams_schedules_and_receivers_are_reached_and_each_receiver_once(clock, tenant, ann, bob):
    desk = make_receiver(tenant, name="desk")
    team = people.save(Team(tenant=tenant, name="ops"), AUTHOR, {"members": [ann, bob]})
    policy = make_policy(tenant, ("0s", team), ("0s", make_schedule(tenant, bob, ann)), ("0s", desk))
    policy.steps = [{"tell": [target for step in policy.steps for target in step["tell"]]}]
    people.save(policy, AUTHOR)
    fire(clock, tenant, policy)
    later(clock, seconds=0)
    assert steps_told(tenant) == ["team ops: ann", "team ops: bob", "schedule primary: bob", "receiver desk"]
    assert OutboxMessage.objects.for_tenant(tenant).filter(reason="escalation").count() == 3


def test_whoever_cannot_be_reached_is_written_down(clock, tenant):
    nobody = make_person(tenant, "nobody", receivers=[])
    empty = make_schedule(tenant, name="empty")
    fire(clock, tenant, make_policy(tenant, ("0s", nobody), ("0s", empty)))
    later(clock, seconds=0)
    later(clock, seconds=1)
    entries, _ = tracing.in_words(tracing.trace(tenant.pk, ids(tenant)[0]), "en")
    vain = "Escalation policy, step 2, reached nobody: schedule empty has nobody on call."
    assert vain in [entry["text"] for entry in entries]
    assert steps_told(tenant) == [
        "person nobody has no receiver that is enabled",
        "schedule empty has nobody on call",
    ]


def test_once_routing_leads_elsewhere_the_old_group_escalates_no_more(clock, tenant, ann):
    policy = make_policy(tenant, ("5m", ann))
    root = fire(clock, tenant, policy)
    routes.save(Route(tenant=tenant, parent=root, matchers=['n="1"'], receiver=make_receiver(tenant)), AUTHOR)
    timers.run_due(clock)
    flush_due(clock)
    later(clock, minutes=5)
    statuses = Escalation.objects.for_tenant(tenant).order_by("started_at", "status")
    assert sorted(statuses.values_list("status", flat=True)) == ["exhausted", "resolved"]
    assert steps_told(tenant) == ["person ann"]


def test_whoever_a_step_told_is_told_the_end_once(clock, tenant, ann, bob):
    fire(clock, tenant, make_policy(tenant, ("0s", ann), ("9h", bob)))
    later(clock, seconds=0)
    by(clock, tenant).acknowledge(ids(tenant))
    post(tenant, {"n": "1"}, now=clock.now(), ends_at=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    flush_due(clock)
    assert told(tenant, ann.receivers.get()) == [["firing 1"], ["resolved 1"]]
    assert told(tenant, bob.receivers.get()) == []
    assert OutboxMessage.objects.for_tenant(tenant).filter(reason="resolved").count() == 2


def test_a_receiver_that_wants_no_ends_or_is_the_groups_own_is_not_told_them_twice(clock, tenant, ann):
    quiet = make_receiver(tenant, name="quiet", send_resolved=False)
    policy = make_policy(tenant, ("0s", quiet))
    root = fire(clock, tenant, policy)
    policy.steps[0]["tell"].append({"receiver": str(root.receiver_id)})
    people.save(policy, AUTHOR)
    later(clock, seconds=0)
    post(tenant, {"n": "1"}, now=clock.now(), ends_at=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    assert told(tenant, quiet) == [["firing 1"]]
    assert sorted(told(tenant, root.receiver)) == [["firing 1"], ["firing 1"], ["resolved 1"]]


def test_a_receiver_that_a_policy_names_is_not_removed(tenant):
    desk = make_receiver(tenant, name="desk")
    make_policy(tenant, ("0s", desk), name="night")
    with pytest.raises(people.StillNamed, match="escalation policy 'night'"):
        receivers.delete_receiver(desk, AUTHOR)


def test_a_route_without_a_policy_begins_nothing(clock, tenant):
    fire(clock, tenant, None)
    assert Escalation.objects.for_tenant(tenant).count() == 0


def test_timers_take_the_steps_that_are_due(clock, tenant, ann):
    fire(clock, tenant, make_policy(tenant, ("0s", ann)))
    assert timers.run_due(clock)["escalated"] == 1


def test_a_part_that_the_database_refuses_stops_no_other(clock, tenant, ann, monkeypatch):
    def refused(*, now):
        raise DataError("unsupported Unicode escape sequence")

    fire(clock, tenant, make_policy(tenant, ("0s", ann)))
    monkeypatch.setitem(timers.PARTS, "expired", refused)
    assert timers.run_due(clock)["escalated"] == 1
