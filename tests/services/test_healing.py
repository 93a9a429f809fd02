"""Runs of playbooks against a provider in memory: the ways through, and every way a step can be cut."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alertsite.audit.services import Author, first_break
from alertsite.core.clock import SystemClock, to_datetime
from alertsite.tenancy.scope import platform_scope
from cloud.adapters.errors import ActionRefused, AnswerLost, CredentialsRefused, ResourceGone, Throttled
from cloud.models import CloudAccount
from healing.models import HealingCall, HealingPolicy, HealingRun, HealingStep, HealingTally
from healing.services import advancing, claiming, starting
from healing.services.expiring import expire_runs
from healing.services.handling import cancel, settle
from healing.services.outcomes import publish
from healing.services.people import NotAPerson
from healing.services.playbooks import Draft, reset_breaker, save_playbook
from healing.services.storytelling import story_of
from rules.models import AlertInstance, OutboxMessage
from rules.services.composing import notification_of, told_by
from rules.services.querying import QueryTerms, TenantQueries
from rules.services.silencing import SilenceDraft, create_silence
from tests.factories.healing import ALICE, FAKE, Hand, fire, make_account, make_playbook
from tests.factories.playbooks import RESTART, playbook_of
from tests.factories.rows import NOON, make_receiver, make_tenant

RESTART_STEP = (
    '{id: restart, action: restart_service, account: prod, with: {service: "{{ labels.service }}"}}'
)
RESTART_ONLY = RESTART[RESTART.index("  - id") :]
SCALE_CHECKOUT = "  - {action: scale_service, account: prod, with: {service: checkout, size: 7}}\n"
NO_APPROVAL = {"low": "none", "medium": "none", "high": "none"}


class WorkerLost(BaseException):
    """The worker is gone in the middle of what it did, as after kill -9."""


@pytest.fixture
def acme(db, redis_url, settings):
    settings.CLOUD_ADAPTERS = [FAKE]
    with platform_scope():
        yield make_tenant("acme")


@pytest.fixture
def lenient(acme):
    """Nobody need approve."""
    HealingPolicy.objects.create(tenant=acme, **NO_APPROVAL)
    return acme


def reread(run):
    return HealingRun.objects.for_tenant(run.tenant_id).get(pk=run.pk)


def calls(here):
    """What was asked of the provider, and how often."""
    return [(effect.word, effect.parameters.get("service")) for effect in here.effects]


def steps(run):
    rows = HealingStep.objects.for_tenant(run.tenant_id).filter(run=run)
    return {step.key: step.state for step in rows.order_by("position")}


def manual(*lines, **head):
    more = "".join(f"\n{name}: {value}" for name, value in head.items())
    return playbook_of(*lines, head="trigger: {manual: true}" + more)


def test_an_alert_starts_a_run_that_repairs_and_is_verified(lenient):
    here = make_account(lenient)
    make_playbook(lenient, RESTART)
    alert = fire(lenient)
    hand = Hand.at()

    assert starting.start_from_cues(now=NOON) == 1
    hand.run_for(5)
    run = HealingRun.objects.for_tenant(lenient).get()
    assert (run.state, run.first_action_at) == ("verifying", NOON)
    alert.delete()
    hand.run_for(80)

    assert (reread(run).state, reread(run).reason) == ("succeeded", "verified")
    assert calls(here) == [("restart_service", "checkout")]
    assert first_break(lenient.pk) is None
    said = HealingCall.objects.for_tenant(lenient).filter(step__run=run).values_list("phase", "request")
    assert list(said) == [("look", "look restart_service"), ("act", "act restart_service")]


def test_an_alert_is_looked_at_once(lenient):
    make_playbook(lenient, RESTART)
    fire(lenient)
    fire(lenient, alertname="Other", service="x")

    assert [starting.start_from_cues(now=NOON) for _ in range(2)] == [1, 0]


def test_a_playbook_that_is_not_armed_rehearses(lenient):
    here = make_account(lenient)
    make_playbook(lenient, RESTART, armed=False)
    fire(lenient)
    starting.start_from_cues(now=NOON)

    Hand.at().run_for(3)

    run = HealingRun.objects.for_tenant(lenient).get()
    assert (run.state, run.dry) == ("rehearsed", True)
    step = HealingStep.objects.for_tenant(lenient).get(run=run)
    assert (step.change, step.resources) == ("restart_service checkout", ["checkout"])
    assert here.effects == []


def test_saving_other_content_disarms(lenient):
    playbook = make_playbook(lenient, RESTART)

    same = save_playbook(playbook, Draft("# why\n" + RESTART), ALICE)
    assert same.armed
    other = save_playbook(playbook, Draft(RESTART.replace("prod", "other")), ALICE)

    assert not other.armed
    assert [version.number for version in other.versions(manager="across_tenants").all()] == [3, 2, 1]


@pytest.mark.parametrize(
    ("phase", "after", "word", "expected", "times"),
    [
        pytest.param("look", False, "restart_service", "succeeded", 1, id="before the call"),
        pytest.param("act", False, "restart_service", "succeeded", 1, id="during the call, not accepted"),
        pytest.param(
            "act", True, "restart_service", "succeeded", 1, id="during the call, accepted and observed"
        ),
        pytest.param(
            "act", True, "restart_instance", "succeeded", 1, id="during the call, accepted with a key"
        ),
        pytest.param("act", True, "start_instance", "succeeded", 1, id="during the call, a state was set"),
        pytest.param("act", True, "restart_database", "uncertain", 1, id="during the call, nobody can tell"),
        pytest.param(
            "act", False, "restart_database", "uncertain", 0, id="cut before it was sent, nobody can tell"
        ),
        pytest.param("progress", False, "restart_database", "succeeded", 1, id="after the call"),
    ],
)
def test_a_worker_that_is_lost_is_taken_over_and_nothing_is_done_twice(
    lenient, phase, after, word, expected, times
):
    here = make_account(lenient)
    name = {"restart_service": "service", "restart_database": "database"}.get(word, "instance")
    text = manual(f"{{action: {word}, account: prod, with: {{{name}: checkout}}}}")
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, text))
    here.fail(phase, WorkerLost(), after=after)

    with pytest.raises(WorkerLost):
        hand.run_for(3)
    hand.run_for(2)
    assert len(here.effects) == (times if phase != "look" and (after or phase == "progress") else 0)
    hand.clock.advance(seconds=91)
    hand.run_for(10)

    assert (reread(run).state, len(here.effects)) == (expected, times)
    assert len({effect.key for effect in here.effects}) == times


@pytest.mark.parametrize(
    ("faults", "expected", "times", "reason"),
    [
        pytest.param(
            [("look", CredentialsRefused("expired"))], "failed", 0, "credentials_refused", id="expired"
        ),
        pytest.param(
            [("act", CredentialsRefused("expired"))], "failed", 0, "credentials_refused", id="expired at act"
        ),
        pytest.param(
            [("act", Throttled("slow down", 3.0))] * 3, "succeeded", 1, "every step", id="throttled"
        ),
        pytest.param(
            [("look", Throttled("slow down"))] * 20, "failed", 0, "tried 8 times", id="throttled for ever"
        ),
        pytest.param(
            [("act", Throttled("slow down"))] * 20, "failed", 0, "tried 8 times", id="act throttled for ever"
        ),
        pytest.param([("act", AnswerLost("cut"))], "succeeded", 1, "every step", id="lost, not accepted"),
        pytest.param([("act+", AnswerLost("cut"))], "succeeded", 1, "every step", id="lost, accepted"),
        pytest.param(
            [
                ("act+", AnswerLost("cut")),
                ("happened", Throttled("x")),
                ("happened", CredentialsRefused("x")),
            ],
            "succeeded",
            1,
            "every step",
            id="lost, and looking is hard",
        ),
        pytest.param([("look", ResourceGone("gone"))], "failed", 0, "resource_gone", id="gone before"),
        pytest.param([("progress", ResourceGone("gone"))], "failed", 1, "resource_gone", id="gone after"),
        pytest.param(
            [("progress", Throttled("x"))] * 3, "succeeded", 1, "every step", id="throttled while it runs"
        ),
        pytest.param([("act", ActionRefused("protected"))], "failed", 0, "action_refused", id="refused"),
    ],
)
def test_what_a_provider_may_say(lenient, faults, expected, times, reason):
    here = make_account(lenient)
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(RESTART_STEP)))
    for phase, error in faults:
        here.fail(phase.removesuffix("+"), error, after=phase.endswith("+"))

    hand.run_for(900, step_s=2)

    found = reread(run)
    assert (found.state, len(here.effects)) == (expected, times), found.reason
    assert reason in found.reason


def test_what_nobody_can_tell_waits_for_a_person(lenient):
    here = make_account(lenient)
    hand = Hand.at()
    text = manual("{action: restart_database, account: prod, with: {database: checkout}}", "{wait: 1s}")
    both = [make_playbook(lenient, text.replace("tried", name)) for name in ("first", "second")]
    runs = [hand.start(playbook) for playbook in both]
    here.fail("act", AnswerLost("cut"), after=True)
    here.fail("act", AnswerLost("cut"), after=False)
    hand.run_for(20)
    assert {reread(run).state for run in runs} == {"uncertain"}
    paged = AlertInstance.objects.for_tenant(lenient).filter(labels__alertname="HealingNeedsPerson")
    assert paged.count() == 2

    with pytest.raises(NotAPerson):
        settle(lenient.pk, runs[0].pk, ALICE, happened=True, is_person=False)
    for run, happened in zip(runs, (True, False), strict=True):
        settle(lenient.pk, run.pk, Author("carol", hand.clock.now()), happened=happened, is_person=True)
    hand.run_for(10)

    assert [reread(run).state for run in runs] == ["succeeded", "failed"]
    assert len(here.effects) == 1
    assert not paged.exists()


SCALE = "{action: scale_service, account: prod, with: {service: checkout, size: 7}}"


def test_what_fails_is_taken_back_in_reverse(lenient):
    here = make_account(lenient, checkout=3, cart=4)
    hand = Hand.at()
    other = SCALE.replace("checkout", "cart")
    run = hand.start(make_playbook(lenient, manual(SCALE, other, "{check: 'vector(1) > 2'}")))

    hand.run_for(30)

    assert reread(run).state == "rolled_back"
    assert here.things == {"checkout": 3, "cart": 4}
    assert [(effect.parameters["service"], effect.parameters["size"]) for effect in here.effects] == [
        ("checkout", 7), ("cart", 7), ("cart", 4), ("checkout", 3),
    ]  # fmt: skip


def test_an_action_that_is_accepted_and_fails_is_taken_back_too(lenient):
    here = make_account(lenient)
    here.polls = 2
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(SCALE)))
    hand.run_for(1)
    here.failing.add("scale_service")
    hand.run_for(5)
    here.failing.clear()
    hand.run_for(60)

    assert here.things == {"checkout": 3}
    assert reread(run).state in {"rolled_back", "rollback_failed"}


def test_a_rollback_that_fails_stops_pages_and_leaves_a_clear_state(lenient):
    here = make_account(lenient)
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(SCALE, "{wait: 5s}", "{check: 'vector(1) > 2'}")))
    hand.run_for(3)
    here.fail("act", ActionRefused("protected"))
    hand.run_for(30)

    assert reread(run).state == "rollback_failed"
    assert steps(run) == {"1": "done", "2": "done", "3": "failed", "undo:1": "failed"}
    paged = AlertInstance.objects.for_tenant(lenient).get(labels__alertname="HealingNeedsPerson")
    assert "rollback failed" in paged.annotations["summary"]


def test_a_rollback_by_an_account_that_is_gone_fails_openly(lenient):
    make_account(lenient)
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(SCALE, "{wait: 5s}", "{check: 'vector(1) > 2'}")))
    hand.run_for(3)
    CloudAccount.objects.for_tenant(lenient).delete()
    hand.run_for(30)

    assert reread(run).state == "rollback_failed"


def test_verification_that_flaps_starts_over_and_is_bounded(lenient):
    here = make_account(lenient)
    make_playbook(lenient, RESTART.replace(RESTART_ONLY, SCALE_CHECKOUT) + "verify: {for: 20s, within: 2m}\n")
    alert = fire(lenient)
    hand = Hand.at()
    starting.start_from_cues(now=NOON)
    hand.run_for(5)
    for _ in range(8):
        alert.delete()
        hand.run_for(10)
        alert = fire(lenient, hand.clock.now())
        hand.run_for(10)
    hand.run_for(30)

    run = HealingRun.objects.for_tenant(lenient).order_by("created_at").first()
    assert run.state == "rolled_back"
    assert run.flaps >= 4
    assert here.things["checkout"] == 3


def test_a_breaker_opens_pages_and_is_reset_by_a_person(lenient):
    here = make_account(lenient)
    playbook = make_playbook(lenient, manual(RESTART_STEP, limits="{cool_down: 0s}", breaker="{failures: 2}"))
    hand = Hand.at()
    for _ in range(2):
        here.fail("look", ResourceGone("gone"))
        hand.start(playbook)
        hand.run_for(3)
    refused = hand.start(playbook)
    hand.run_for(3)

    assert (reread(refused).state, reread(refused).reason) == ("given_up", "breaker_open")
    paged = AlertInstance.objects.for_tenant(lenient).filter(labels__alertname="HealingBreakerOpen")
    assert paged.count() == 1
    reset_breaker(playbook, Author("carol", hand.clock.now()), is_person=True)
    again = hand.start(playbook)
    hand.run_for(3)
    assert (reread(again).state, paged.count()) == ("succeeded", 0)


def test_limits_hold_runs_and_cool_down_does(lenient):
    here = make_account(lenient, a=1, b=1, c=1)
    text = manual(RESTART_STEP, limits="{per_hour: 2, cool_down: 10m, wait: 1h}")
    playbook = make_playbook(lenient, text)
    hand = Hand.at()
    runs = []
    for name in ("a", "b", "c", "a"):
        runs.append(hand.start(playbook, service=name))
        hand.run_for(3)

    hand.run_for(60, step_s=5)

    assert [reread(run).state for run in runs] == ["succeeded", "succeeded", "running", "held"]
    assert [reread(runs[3]).reason, len(here.effects)] == ["cool_down", 2]
    step = HealingStep.objects.for_tenant(lenient).get(run=runs[2])
    assert (step.state, step.reason) == ("pending", "limit per_hour leaves no room")


def test_a_share_of_a_group_is_kept_whole(lenient):
    here = make_account(lenient, a=1, b=1)
    here.group_size = 4
    instance = "{action: restart_instance, account: prod, with: {instance: %s, place: x}}"
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(instance % "a", instance % "b", limits="{wait: 30s}")))

    hand.run_for(60)

    assert reread(run).state == "failed"
    assert "limit share" in reread(run).reason
    assert len(here.effects) == 1


def test_maintenance_holds_a_run_with_the_reason(lenient):
    here = make_account(lenient)
    until = NOON + timedelta(minutes=5)
    window = SilenceDraft(['service="checkout"'], NOON, until, "moving", kind="maintenance")
    create_silence(lenient.pk, window, Author("carol", NOON))
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(RESTART_STEP)))

    hand.run_for(10)
    assert (reread(run).state, reread(run).reason) == ("held", "maintenance by carol: moving")
    assert here.effects == []
    hand.run_for(320, step_s=5)

    assert reread(run).state == "succeeded"


def test_an_alert_that_ends_before_the_run_begins_starts_nothing(lenient):
    here = make_account(lenient)
    make_playbook(lenient, RESTART)
    alert = fire(lenient)
    starting.start_from_cues(now=NOON)
    alert.delete()

    Hand.at().run_for(3)

    run = HealingRun.objects.for_tenant(lenient).get()
    assert (run.state, run.reason, here.effects) == ("given_up", "the alert is over", [])


def test_a_cancelled_run_takes_no_further_step(lenient):
    here = make_account(lenient, a=1, b=1)
    here.polls = 3
    text = "{action: restart_service, account: prod, with: {service: %s}}"
    one, other = text % "a", text % "b"
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(one, other)))
    hand.run_for(2)
    cancel(lenient.pk, run.pk, Author("carol", hand.clock.now()))
    hand.run_for(30)

    assert reread(run).state == "cancelled"
    assert steps(run) == {"1": "done", "2": "pending"}
    assert len(here.effects) == 1


def test_a_message_of_a_step_goes_out_by_the_outbox(lenient):
    make_receiver(lenient, name="ops")
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual('{notify: ops, text: "restarting {{ labels.service }}"}')))

    hand.run_for(3)

    message = OutboxMessage.objects.for_tenant(lenient).get()
    assert reread(run).state == "succeeded"
    told = told_by([message])[message.pk]
    assert notification_of(message, told).alerts[0].annotations == {"summary": "restarting checkout"}


def test_a_prediction_starts_one_run_for_each_series_that_holds(lenient):
    head = "trigger: {prediction: {expr: 'vector(1) > 0', for: 1m, every: 10s}}"
    text = playbook_of("{wait: 1s}", head=head)
    make_playbook(lenient, text)
    started = [
        starting.start_by_predictions(now=NOON + timedelta(seconds=seconds)) for seconds in range(0, 200, 10)
    ]

    assert sum(started) == 1
    assert started[6] == 1


def test_a_schedule_starts_one_run_a_minute(lenient):
    head = "trigger: {schedule: {crontab: '0 3 * * 1-5', timezone: Europe/Paris}}"
    text = playbook_of("{wait: 1s}", head=head)
    playbook = make_playbook(lenient, text)
    runs = {starting.start_scheduled(playbook.pk, now=NOON).pk for _ in range(2)}

    assert len(runs) == 1
    assert playbook.periodic_task.crontab.minute == "0"


def test_outcomes_are_series(lenient):
    make_account(lenient)
    hand = Hand.at(to_datetime(SystemClock().now_ms()))
    hand.start(make_playbook(lenient, manual(RESTART_STEP)))
    hand.run_for(3)

    found = TenantQueries(lenient.pk, hand.clock.now_ms()).instant(
        '{__name__=~"auto_healing_.*"}', hand.clock.now_ms(), QueryTerms()
    )
    names = [dict(labels)["__name__"] for labels in found.labels]
    assert dict(zip(names, found.values, strict=True)) == {
        "auto_healing_actions_total": 1.0,
        "auto_healing_success_ratio": 1.0,
        "auto_healing_time_to_repair_seconds": 0.0,
    }


def test_a_worker_that_lost_its_claim_changes_nothing(lenient):
    here = make_account(lenient)
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(RESTART_STEP)))
    (mine,) = claiming.claim_due_runs(now=NOON)
    hand.clock.advance(seconds=91)
    hand.advance()

    summary = advancing.advance_claims([mine], hand.means)

    assert (summary.lost, len(here.effects), reread(run).state) == (1, 1, "succeeded")


def test_runs_that_ended_long_ago_are_forgotten(lenient):
    make_account(lenient)
    hand = Hand.at()
    run = hand.start(make_playbook(lenient, manual(RESTART_STEP)))
    hand.run_for(5)

    assert expire_runs(now=NOON + timedelta(days=35)) == 0
    assert expire_runs(now=NOON + timedelta(days=36)) == 1
    assert not HealingStep.objects.for_tenant(lenient).filter(run_id=run.pk).exists()


def test_what_was_counted_stays_counted_when_runs_are_forgotten(lenient):
    make_account(lenient)
    hand = Hand.at()
    playbook = make_playbook(lenient, manual(RESTART_STEP))
    for days in (36, 36, 0):
        hand.start(playbook)
        hand.run_for(5)
        expire_runs(now=hand.clock.now() + timedelta(days=days))
        hand.clock.advance(hours=24)
    last = HealingRun.objects.for_tenant(lenient).get()

    publish(last, hand.clock)

    query = 'auto_healing_actions_total{playbook="tried", outcome="done"}'
    now_ms = hand.clock.now_ms()
    told = TenantQueries(lenient.pk, now_ms).instant(query, now_ms, QueryTerms())
    assert list(told.values) == [3.0]
    assert HealingTally.objects.for_tenant(lenient).get().total == 2


def test_a_story_masks_inputs_whose_names_say_that_they_are_secret(lenient):
    make_account(lenient)
    hand = Hand.at()
    text = (
        "{action: run_document, account: prod,"
        " with: {document: d, instance: checkout, values: {password: hunter2-and-more}}}"
    )
    run = hand.start(make_playbook(lenient, manual(text)))
    hand.run_for(5)

    (step,) = story_of(reread(run))["steps"]
    assert step["inputs"]["values"] == {"password": "***"}
