"""What the platform does for itself: it proposes from what it measured, and acts where that is allowed."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from alertsite.audit.models import AuditEvent
from alertsite.audit.services import Author, first_break
from alertsite.core.errors import Conflict, InvalidParameter
from alertsite.tenancy.scope import platform_scope
from cloud.models import CloudAccount, CloudResource
from healing.models import Automation, HealingPolicy, HealingRun, Playbook, Proposal
from healing.services import approving, automating, automations, fleet, proposals
from healing.services.automations import save_automation
from healing.services.fleet import shares
from rules.models import Shard
from rules.services import sizes
from rules.services.sharding import spread
from tests.factories.automating import Workers, make_automation, make_ticks, move_on, write
from tests.factories.healing import ALICE, FAKE, Hand, make_account, make_playbook
from tests.factories.playbooks import playbook_of
from tests.factories.rows import NOON, make_group, make_rule, make_tenant

SCALE = playbook_of(
    '{action: scale_service, account: prod, with: {service: web, size: "{{ labels.size }}"}}',
    head="trigger: {manual: true}\nlimits: {cool_down: 0s}",
)
SCALING = {
    "playbook": "tried", "load": "load", "forecast": "forecast", "minimum": 1, "maximum": 9,
    "per_replica": 100.0, "every": "1m",
}  # fmt: skip
TUNING = {"ranges": {"workers": [1, 8], "batch": [10, 200], "shard_rules": [50, 20_000], "prefetch": [1, 4]}}


@pytest.fixture
def acme(db, redis_url, settings):
    settings.CLOUD_ADAPTERS = [FAKE]
    settings.HOST_METRICS_TENANT = "acme"
    with platform_scope():
        yield make_tenant("acme")


@pytest.fixture
def lenient(acme):
    HealingPolicy.objects.create(tenant=acme, low="none", medium="none", high="none")
    return acme


def only(tenant, **about):
    return Proposal.objects.for_tenant(tenant).get(**about)


def told(tenant):
    rows = Proposal.objects.for_tenant(tenant).order_by("created_at", "subject")
    return [(row.subject, row.current, row.proposed, row.state) for row in rows]


def forecast(tenant, at, load, *ahead):
    write(tenant, at, load, "load")
    for number, value in enumerate(ahead):
        write(tenant, at, value, "forecast", horizon=f"{number}h")


# --- sizes of the platform's own pools


def test_sizes_wait_for_a_person_and_are_set_then(acme):
    make_automation(acme, "tune", armed=False, **TUNING)
    make_ticks(acme, NOON, count=150, late_s=9.0, took_s=8.0)
    hand, fleet = Hand.at(), Workers()

    move_on(hand, fleet)

    found = only(acme, subject="workers")
    assert (found.current, found.proposed, found.state, found.shadow) == ("4", "6", "proposed", False)
    assert "p99 lateness 9 s, promised 5 s" in found.reason
    assert found.measured["ticks"] == 150
    proposals.approve(found, Author("bob", NOON))
    hand.clock.advance(seconds=1)
    move_on(hand, fleet)

    assert only(acme, subject="workers").state == "applied"
    assert fleet.of == {"evaluate@one": 3, "evaluate@two": 3}
    assert only(acme, subject="shard_rules").state == "proposed"
    assert sizes.size_of(sizes.RULES_A_SHARD) == 10_000


def test_an_armed_tuner_sets_sizes_within_its_bounds(acme):
    make_automation(acme, "tune", **TUNING | {"ranges": {"shard_rules": [7_000, 20_000]}})
    make_ticks(acme, NOON, count=150, late_s=9.0, took_s=8.0)

    move_on(Hand.at())

    assert told(acme) == [("shard_rules", "10000", "7000", "applied")]
    assert sizes.size_of(sizes.RULES_A_SHARD) == 7_000
    events = AuditEvent.objects.for_tenant(acme).filter(action__startswith="proposal.")
    assert list(events.order_by("sequence").values_list("action", "actor")) == [
        ("proposal.made", "automation"),
        ("proposal.approved", "alice"),
        ("proposal.applied", "alice"),
    ]
    assert first_break(acme.pk) is None


def test_smaller_shards_move_the_groups_that_are_too_many(acme):
    for number in range(6):
        make_rule(make_group(acme, name=f"g{number}"))
    sizes.set_size(sizes.RULES_A_SHARD, 2)

    assert spread(now=NOON) == 6

    assert Shard.across_tenants.filter(rule_count__gt=0).count() > 1


def test_prefetch_is_applied_by_the_next_start(acme, settings):
    make_automation(acme, "tune", **TUNING | {"ranges": {"prefetch": [1, 4]}})
    make_ticks(acme, NOON, count=300, late_s=0.1, took_s=0.02)
    hand = Hand.at()

    move_on(hand)
    assert told(acme) == [("prefetch", "1", "2", "approved")]
    settings.CELERY_WORKER_PREFETCH_MULTIPLIER = 2
    hand.clock.advance(seconds=301)
    move_on(hand)

    assert told(acme)[0][3] == "applied"


def test_nothing_is_proposed_from_nothing(acme):
    row = make_automation(acme, "tune", **TUNING)

    move_on(Hand.at())

    row.refresh_from_db()
    assert "0 ticks were due" in row.fault
    assert told(acme) == []


def test_the_platform_is_tuned_in_the_operators_tenant_alone(acme):
    with pytest.raises(InvalidParameter, match="HOST_METRICS_TENANT"):
        make_automation(make_tenant("other"), "tune", **TUNING)


@pytest.mark.parametrize(
    ("processes", "total", "changes"),
    [
        pytest.param({"a": 2, "b": 2}, 5, {"a": 1}, id="the smallest grows"),
        pytest.param({"a": 4, "b": 1}, 3, {"a": -2}, id="the largest shrinks"),
        pytest.param({"a": 2, "b": 2}, 1, {"a": -1, "b": -1}, id="each keeps one"),
        pytest.param({}, 5, {}, id="nobody answered"),
    ],
)
def test_processes_are_shared_out(processes, total, changes):
    assert shares(processes, total) == changes


class Control:
    """What Celery's remote control answers and is told."""

    def __init__(self):
        self.told = []

    def inspect(self, timeout):
        assert timeout
        return self

    def active_queues(self):
        return {"evaluate@a": [{"name": "evaluate"}], "notify@a": [{"name": "notify"}], "evaluate@b": [
            {"name": "evaluate"}
        ]}  # fmt: skip

    def stats(self):
        pids = {"max-concurrency": 7, "processes": [11, 12]}  # the first: as it was started
        return {"evaluate@a": {"pool": pids}, "notify@a": {"pool": {"max-concurrency": 8}}, "evaluate@b": {
            "pool": {"max-concurrency": 4}
        }}  # fmt: skip

    def pool_grow(self, n, destination):
        self.told.append((n, destination))

    def pool_shrink(self, n, destination):
        self.told.append((-n, destination))


def test_workers_are_asked_and_told_by_celerys_control(monkeypatch):
    control = Control()
    monkeypatch.setattr(fleet, "current_app", SimpleNamespace(control=control))
    workers = fleet.CeleryFleet()

    assert workers.processes() == {"evaluate@a": 2}, "those that answered, of the queue that evaluates"
    workers.resize("evaluate@a", 3)
    workers.resize("evaluate@a", -1)
    assert control.told == [(3, ["evaluate@a"]), (-1, ["evaluate@a"])]


# --- scaling on a forecast


def test_in_the_shadow_it_says_what_it_would_do_and_counts_both_ways(lenient):
    here = make_account(lenient, web=1)
    make_playbook(lenient, SCALE)
    row = make_automation(lenient, "scale", armed=False, **SCALING)
    hand = Hand.at()

    for load, ahead in ((80.0, 290.0), (90.0, 290.0), (280.0, 290.0), (280.0, 290.0)):
        forecast(lenient, hand.clock.now(), load, ahead)
        assert move_on(hand) == 1
        hand.clock.advance(seconds=60)

    found = only(lenient, shadow=True)
    assert (found.current, found.proposed, found.state) == ("1", "3", "proposed")
    assert "reacting would have 1" in found.reason
    assert (here.effects, HealingRun.objects.for_tenant(lenient).count()) == ([], 0)
    row.refresh_from_db()
    assert row.tally["predictive"]["replica_hours"] == pytest.approx((3 + 3 + 3) / 60)
    assert row.tally["reactive"]["replica_hours"] == pytest.approx((1 + 1 + 3) / 60)
    assert row.tally["benefit_replica_hours"] == pytest.approx((2.8 - 1) / 60)
    assert row.tally["cost_replica_hours"] == pytest.approx(4 / 60)
    with pytest.raises(Conflict, match="shadow"):
        proposals.approve(found, Author("bob", hand.clock.now()))


def test_armed_it_scales_by_an_ordinary_run(lenient):
    here = make_account(lenient, web=1)
    make_playbook(lenient, SCALE)
    make_automation(lenient, "scale", **SCALING)
    hand = Hand.at()
    forecast(lenient, NOON, 80.0, 150.0, 290.0)

    move_on(hand)
    found = only(lenient)
    assert (found.state, found.decided_by) == ("approved", "alice")
    hand.run_for(5)
    move_on(hand)

    assert (only(lenient).state, here.things["web"]) == ("applied", 3)
    assert only(lenient).run.cause == "prediction"
    assert [effect.parameters["size"] for effect in here.effects] == [3]


def test_the_rails_of_the_playbook_hold_the_scaling(acme):
    """A size is of medium risk: one person is asked, and a no refuses the proposal."""
    here = make_account(acme, web=1)
    make_playbook(acme, SCALE)
    make_automation(acme, "scale", **SCALING)
    hand = Hand.at()
    forecast(acme, NOON, 80.0, 290.0)
    move_on(hand)
    hand.run_for(5)
    run = HealingRun.objects.for_tenant(acme).get()
    assert (run.state, here.effects) == ("awaiting", [])

    hand.clock.advance(seconds=60)
    forecast(acme, hand.clock.now(), 80.0, 290.0)
    move_on(hand)
    assert HealingRun.objects.for_tenant(acme).count() == 1, "one at a time"

    said = approving.Said(False, "", run.subject, run.plan_hash)
    approving.vote(acme.pk, run.pk, said, Author("bob", hand.clock.now()), is_person=True)
    hand.run_for(3)
    proposals.settle(now=hand.clock.now())

    assert (only(acme).state, here.effects) == ("refused", [])


def test_a_playbook_that_is_not_armed_keeps_the_scaling_in_the_shadow(lenient):
    make_account(lenient, web=1)
    make_playbook(lenient, SCALE, armed=False)
    make_automation(lenient, "scale", **SCALING)
    forecast(lenient, NOON, 80.0, 290.0)

    move_on(Hand.at())

    assert only(lenient).shadow


@pytest.mark.parametrize(
    ("text", "load", "fault"),
    [
        pytest.param(SCALE, None, "the load has 0 series", id="no load"),
        pytest.param(
            playbook_of("{action: restart_service, account: prod, with: {service: web}}"),
            80.0,
            "no step of playbook 'tried' sets a size",
            id="no size",
        ),
        pytest.param(
            SCALE.replace("labels.size", "labels.other"), 80.0, "other", id="label that nobody gives"
        ),
        pytest.param(SCALE.replace("prod", "gone"), 80.0, "gone", id="no account"),
    ],
)
def test_what_cannot_be_decided_is_said(lenient, text, load, fault):
    make_account(lenient, web=1)
    make_playbook(lenient, text)
    row = make_automation(lenient, "scale", **SCALING)
    if load is not None:
        forecast(lenient, NOON, load, 290.0)

    move_on(Hand.at())

    row.refresh_from_db()
    assert fault in row.fault
    assert row.next_due_at == NOON + timedelta(minutes=1)


def test_a_worker_that_lost_its_claim_writes_nothing(lenient):
    make_account(lenient, web=1)
    make_playbook(lenient, SCALE)
    make_automation(lenient, "scale", **SCALING)
    forecast(lenient, NOON, 80.0, 290.0)
    hand = Hand.at()
    old = automating.claim_due(now=NOON)[0]
    hand.clock.advance(seconds=91)
    new = automating.claim_due(now=hand.clock.now())[0]

    assert automating.move_on(old, hand.means, Workers()) is False
    assert told(lenient) == []
    assert automating.move_on(new, hand.means, Workers())
    assert len(told(lenient)) == 1


# --- places


def place(tenant, account, region, *, cost, healthy=True, name="web"):
    row, _ = CloudAccount.across_tenants.get_or_create(
        tenant=tenant, name=account, defaults={"provider": "fake"}
    )
    CloudResource.objects.create(
        tenant=tenant, account=row, kind="service", uid=f"{region}-{name}", place=region, name=name,
        state="running", healthy=healthy, cost_per_hour=cost, digest=b"x" * 16, first_seen_at=NOON,
        changed_at=NOON,
    )  # fmt: skip
    write(tenant, NOON, 20.0, "probe_ms", account=account, region=region)


PLACING = {
    "service": "web", "size": 2, "latency": "probe_ms", "healthy": 'up{job="web"} == 1',
    "places": [
        {"account": "a", "region": "eu", "quota": 10}, {"account": "b", "region": "us", "quota": 10},
    ],
}  # fmt: skip


def test_a_move_is_proposed_with_every_number_and_runs_once_two_agree(acme):
    place(acme, "a", "eu", cost=1.0)
    place(acme, "b", "us", cost=0.2, name="other")
    make_automation(acme, "place", **PLACING)

    move_on(Hand.at())

    found = only(acme)
    assert (found.subject, found.current, found.proposed) == ("place of web", "fake/a/eu", "fake/b/us")
    assert "price 0.250: 0.4 $/h, least 0.4" in found.reason
    assert set(found.measured["scores"]) == {"fake/a/eu", "fake/b/us"}
    automating.approve(found, Author("bob", NOON))
    run = HealingRun.objects.for_tenant(acme).get()
    assert (only(acme).run, run.started_by, run.dry) == (run, "bob", False)
    moved = Playbook.objects.for_tenant(acme).get()
    text = moved.version.text
    assert moved.name == f"move {found.pk}"
    assert text.index("account: b") < text.index("account: a")


def test_a_move_is_named_after_its_proposal_however_long_the_service_is_called(acme):
    service = "w-" * 50
    place(acme, "a", "eu", cost=1.0, name=service)
    place(acme, "b", "us", cost=0.2, name="other")
    make_automation(acme, "place", **PLACING | {"service": service})
    move_on(Hand.at())

    automating.approve(only(acme), Author("bob", NOON))

    assert Playbook.objects.for_tenant(acme).get().name == f"move {only(acme).pk}"


def test_whoever_approved_a_move_cannot_approve_its_run(acme):
    make_account(acme, "a", web=2)
    place(acme, "a", "eu", cost=1.0)
    make_account(acme, "b", web=0)
    place(acme, "b", "us", cost=0.2, name="other")
    make_automation(acme, "place", **PLACING)
    hand = Hand.at()
    move_on(hand)
    run = automating.approve(only(acme), Author("bob", NOON)).run
    hand.run_for(2)
    run.refresh_from_db()
    assert (run.state, run.needed) == ("awaiting", 1)

    said = approving.Said(True, "", run.subject, run.plan_hash)
    with pytest.raises(approving.VoteRefused):
        approving.vote(acme.pk, run.pk, said, Author("bob", hand.clock.now()), is_person=True)
    approving.vote(acme.pk, run.pk, said, Author("carol", hand.clock.now()), is_person=True)


@pytest.mark.parametrize(
    ("terms", "state"),
    [
        pytest.param({"gain": 0.9}, [], id="not worth it"),
        pytest.param({"regions": ["eu"]}, [], id="the policy keeps it here"),
        pytest.param({"regions": ["us"], "gain": 0.9}, ["fake/b/us"], id="the policy forbids here"),
    ],
)
def test_a_move_must_be_worth_it_and_allowed(acme, terms, state):
    place(acme, "a", "eu", cost=1.0)
    place(acme, "b", "us", cost=0.2, name="other")
    make_automation(acme, "place", **PLACING | terms)

    move_on(Hand.at())

    assert [row[2] for row in told(acme)] == state


@pytest.mark.parametrize(
    ("cost", "healthy", "fault"),
    [
        pytest.param(None, True, "what anything costs there is not known", id="no price"),
        pytest.param(0.2, None, "the health of anything there is not known", id="no health"),
    ],
)
def test_a_place_of_which_too_little_is_known_is_left_out_and_told(acme, cost, healthy, fault):
    place(acme, "b", "us", cost=cost, healthy=healthy)
    row = make_automation(acme, "place", **PLACING)

    move_on(Hand.at())

    row.refresh_from_db()
    assert "'web' was seen in 0 of the places" in row.fault
    assert fault in row.fault


# --- proposals


def test_a_proposal_expires_and_cannot_be_approved_then(acme):
    make_automation(acme, "tune", armed=False, **TUNING)
    make_ticks(acme, NOON, count=150, late_s=9.0, took_s=8.0)
    hand = Hand.at()
    move_on(hand)
    found = only(acme, subject="workers")
    hand.clock.advance(hours=24)

    with pytest.raises(Conflict, match="expired"):
        proposals.approve(found, Author("bob", hand.clock.now()))
    proposals.settle(now=hand.clock.now())

    assert only(acme, subject="workers").state == "expired"


def test_what_was_refused_is_not_carried_out_and_not_decided_again(acme):
    make_automation(acme, "tune", armed=False, **TUNING)
    make_ticks(acme, NOON, count=150, late_s=9.0, took_s=8.0)
    hand, fleet = Hand.at(), Workers()
    move_on(hand, fleet)
    found = only(acme, subject="workers")

    proposals.refuse(found, Author("bob", NOON))
    with pytest.raises(Conflict, match="refused"):
        proposals.approve(found, Author("carol", NOON))
    move_on(hand, fleet)

    assert fleet.of == {"evaluate@one": 2, "evaluate@two": 2}


def test_the_same_is_proposed_once_and_another_overtakes_it(acme):
    row = make_automation(acme, "tune", armed=False, **TUNING)
    first = proposals.Change("workers", "4", "6", "late")
    second = proposals.Change("workers", "4", "8", "later")

    assert proposals.propose(row, first, shadow=False, now=NOON) is not None
    assert proposals.propose(row, first, shadow=False, now=NOON) is None
    assert proposals.propose(row, second, shadow=False, now=NOON) is not None

    assert sorted(told(acme)) == [("workers", "4", "6", "expired"), ("workers", "4", "8", "proposed")]


def test_other_terms_disarm_and_begin_the_tally_anew(lenient):
    make_playbook(lenient, SCALE)
    row = make_automation(lenient, "scale", **SCALING)
    Automation.objects.for_tenant(lenient).update(tally={"at_ms": 1})
    row.terms = row.terms | {"maximum": 5}

    save_automation(row, ALICE)

    row.refresh_from_db()
    assert (row.armed, row.tally) == (False, {})


@pytest.mark.parametrize(
    ("kind", "terms", "fault"),
    [
        pytest.param("scale", SCALING | {"playbook": "nobody"}, "playbook", id="playbook that is not there"),
        pytest.param(
            "scale", SCALING | {"minimum": 10}, "minimum lies above", id="bounds that leave nothing"
        ),
        pytest.param("scale", SCALING | {"load": "sum("}, "load", id="expression that does not parse"),
        pytest.param("tune", {"ranges": {"colour": [1, 2]}}, "ranges", id="size that is not known"),
        pytest.param(
            "place", PLACING | {"weights": {"colour": 1.0}}, "weights", id="weight that is not known"
        ),
        pytest.param("tune", {"ranges": {"workers": [8, 4]}}, "8 lies above 4", id="range upside down"),
        pytest.param("maintain", {"crontab": "0 3 * * *"}, "window without matchers", id="empty window"),
        pytest.param(
            "maintain", {"crontab": "0 3 * * *", "silence": ["a=~("]}, "regular expression", id="no matcher"
        ),
        pytest.param(
            "maintain",
            {"crontab": "0 3 * * *", "silence": ['a=~".*"', "b!=c"]},
            "every alert",
            id="all silent",
        ),
        pytest.param("maintain", {"crontab": "0 3 * *", "job": "backup"}, "crontab", id="four fields"),
        pytest.param(
            "maintain", {"crontab": "0 3 * * *", "job": "backup"}, "BACKUP_DIR", id="nowhere to back up"
        ),
        pytest.param("sing", {}, "kind", id="kind that is not known"),
    ],
)
def test_terms_that_do_not_read_are_refused(acme, kind, terms, fault):
    make_playbook(acme, SCALE)

    with pytest.raises(InvalidParameter, match=fault):
        make_automation(acme, kind, **terms)
    assert not Automation.objects.for_tenant(acme).exists()


def test_saving_leaves_what_others_did_meanwhile(lenient):
    make_playbook(lenient, SCALE)
    row = make_automation(lenient, "scale", **SCALING)
    opened = Automation.objects.for_tenant(lenient).get()
    automations.disarm(row, ALICE)
    [claim] = automating.claim_due(now=NOON)

    opened.name = "another name"
    saved = save_automation(opened, ALICE)

    assert (saved.name, saved.armed) == ("another name", False)
    assert automating.move_on(claim, Hand.at().means, Workers())


def test_a_deleted_automation_leaves_what_it_proposed(acme):
    row = make_automation(acme, "tune", armed=False, **TUNING)
    proposals.propose(row, proposals.Change("workers", "4", "6", "late"), shadow=False, now=NOON)

    automations.delete_automation(row, ALICE)

    left = only(acme)
    assert (left.automation, left.state, left.detail) == (None, "expired", "its automation was removed")
    with pytest.raises(Conflict):
        proposals.approve(left, Author("bob", NOON))
