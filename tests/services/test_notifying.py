"""From an alert to messages: groups due with the change, flushed once, silent only for a recorded reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.alerts.flushing import MemberReason
from rules.models import (
    AggregationGroup,
    AlertInstance,
    AlertTransition,
    GroupedAlert,
    InhibitionRule,
    MuteTimeInterval,
    OutboxMessage,
    Route,
    Suppression,
)
from rules.notify.wording import LANGUAGES, Entry, sentence
from rules.services import flushing, handling, intake, rerouting, routes, silencing, tracing
from rules.services.archiving import LEDGER_RETENTION
from rules.services.authoring import Author
from rules.services.silencing import InvalidSilence, SilenceDraft
from tests.factories.notifying import flush_due, make_route, post, told
from tests.factories.rows import AUTHOR, NOON, make_receiver, make_tenant
from tests.fakes.clock import FakeClock

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


@pytest.fixture
def root(tenant: Tenant) -> Route:
    return make_route(
        tenant, group_by=["alertname"], group_wait_s=30, group_interval_s=60, repeat_interval_s=600
    )


def silence(clock: FakeClock, tenant: Tenant, *matchers: str, minutes: int = 60, **values):
    draft = SilenceDraft(list(matchers), clock.now(), clock.now() + minutes * MINUTE, "maintenance", **values)
    return silencing.create_silence(tenant.pk, draft, Author("alice", clock.now()))


def by(clock: FakeClock, tenant: Tenant, name: str = "bob") -> handling.Handler:
    return handling.Handler(tenant.pk, Author(name, clock.now()))


def alert_ids(tenant: Tenant) -> list:
    return list(AlertInstance.objects.for_tenant(tenant).order_by("labels__n").values_list("pk", flat=True))


def reasons(tenant: Tenant) -> list[str]:
    return list(Suppression.objects.for_tenant(tenant).order_by("at", "pk").values_list("reason", flat=True))


def test_without_a_tree_each_alert_goes_to_every_receiver_at_once(clock, tenant):
    receivers = [make_receiver(tenant) for _ in range(2)]
    post(tenant, {"n": "1"}, {"n": "2"})
    flush_due(clock)
    for receiver in receivers:
        assert sorted(told(tenant, receiver)) == [["firing 1"], ["firing 2"]]


def test_without_a_receiver_nothing_is_owed_and_the_story_says_so(clock, tenant):
    post(tenant, {"n": "1"})
    assert flush_due(clock).groups == 0
    found = tracing.trace(tenant.pk, alert_ids(tenant)[0])
    assert "no receiver" in tracing.in_words(found, "en")[1]


def test_a_group_waits_then_tells_all_at_once_then_at_its_interval(clock, tenant, root):
    post(tenant, {"n": "1"})
    clock.advance(seconds=29)
    post(tenant, {"n": "2"}, now=clock.now())
    assert flush_due(clock).groups == 0
    clock.advance(seconds=1)
    flush_due(clock)
    clock.advance(seconds=1)
    post(tenant, {"n": "3"}, now=clock.now())
    clock.advance(seconds=58)
    assert flush_due(clock).groups == 0
    clock.advance(seconds=1)
    flush_due(clock)
    assert told(tenant) == [["firing 1", "firing 2"], ["firing 1", "firing 2", "firing 3"]]


def test_a_group_repeats_and_then_tells_the_end_and_begins_anew(clock, tenant, root):
    post(tenant, {"n": "1"}, ends_at=NOON + timedelta(hours=2))
    clock.advance(seconds=30)
    flush_due(clock)
    clock.advance(minutes=10)
    flush_due(clock)
    post(tenant, {"n": "1"}, ends_at=clock.now(), now=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    assert told(tenant) == [["firing 1"], ["firing 1"], ["resolved 1"]]
    group = AggregationGroup.objects.for_tenant(tenant).get()
    assert (group.next_flush_at, group.anchor_at, group.generation) == (None, None, 3)
    assert not GroupedAlert.objects.for_tenant(tenant).exists()
    post(tenant, {"n": "1"}, now=clock.now())
    group.refresh_from_db()
    assert group.next_flush_at == clock.now() + timedelta(seconds=30)


def test_a_claimed_group_is_flushed_once(clock, tenant, root):
    post(tenant, {"n": "1"})
    clock.advance(seconds=30)
    claims = flushing.claim_due_groups(now=clock.now())
    assert flushing.claim_due_groups(now=clock.now()) == []
    assert flushing.flush(claims, clock).groups == 1
    assert flushing.flush(claims, clock).messages == []
    assert told(tenant) == [["firing 1"]]


def test_a_lost_worker_leaves_the_group_due_and_its_token_writes_nothing(clock, tenant, root):
    post(tenant, {"n": "1"})
    clock.advance(seconds=30)
    lost = flushing.claim_due_groups(now=clock.now())
    clock.advance(seconds=flushing.LEASE.total_seconds())
    flush_due(clock)
    assert flushing.flush(lost, clock).lost == 1
    assert told(tenant) == [["firing 1"]]


def test_every_tenants_most_overdue_group_comes_first(clock, tenant):
    other = make_tenant("globex")
    for one, count in ((tenant, 5), (other, 1)):
        make_receiver(one)
        post(one, *({"n": str(number)} for number in range(count)))
    claims = flushing.claim_due_groups(now=clock.now(), limit=2)
    assert {claim.tenant_id for claim in claims} == {tenant.pk, other.pk}
    assert [own[0].tenant_id for own in flushing.by_tenant([*claims, claims[0]])][-1] == claims[0].tenant_id


def test_who_has_few_groups_is_claimed_among_more_than_are_put_in_order(clock, tenant, monkeypatch):
    monkeypatch.setattr(flushing, "MANY", 4)
    other = make_tenant("globex")
    for one, count in ((tenant, 6), (other, 1)):
        make_receiver(one)
        post(one, *({"n": str(number)} for number in range(count)))
        clock.advance(seconds=1)
    claims = flushing.claim_due_groups(now=clock.now(), limit=3)
    assert sorted(claim.tenant_id for claim in claims) == sorted([tenant.pk, tenant.pk, other.pk])
    rest = flushing.claim_due_groups(now=clock.now(), limit=10)
    assert len({claim.group_id for claim in (*claims, *rest)}) == 7


@pytest.mark.parametrize(
    ("of_other", "claimed"),
    [
        pytest.param(0, [4], id="alone"),
        pytest.param(2, [2, 2], id="beside somebody who has few"),
        pytest.param(3, [2, 2], id="beside another storm"),
    ],
)
def test_a_storm_is_claimed_in_bites(clock, tenant, of_other, claimed):
    other = make_tenant("globex")
    for one, count in ((tenant, 9), (other, of_other)):
        make_receiver(one)
        if count:
            post(one, *({"n": str(number)} for number in range(count)))
    bites = flushing.Bites(each=3, behind=2, alone=4)
    claims = flushing.claim_due_groups(now=clock.now(), bites=bites)
    assert sorted(len(own) for own in flushing.by_tenant(claims)) == claimed


def test_a_silence_holds_back_and_is_named(clock, tenant, root):
    quiet = silence(clock, tenant, 'n="1"', minutes=5)
    post(tenant, {"n": "1"}, {"n": "2"}, ends_at=NOON + timedelta(hours=1))
    clock.advance(seconds=30)
    flush_due(clock)
    assert told(tenant) == [["firing 2"]]
    assert list(Suppression.objects.for_tenant(tenant).values_list("reason", "detail")) == [
        ("silenced", str(quiet.pk))
    ]
    for _ in range(5):
        clock.advance(minutes=1)
        flush_due(clock)
    assert told(tenant)[-1] == ["firing 1", "firing 2"]
    assert reasons(tenant) == ["silenced"]


def test_the_end_of_what_was_told_is_told_through_a_silence(clock, tenant, root):
    post(tenant, {"n": "1"})
    clock.advance(seconds=30)
    flush_due(clock)
    silence(clock, tenant, 'n="1"')
    post(tenant, {"n": "1"}, ends_at=clock.now(), now=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    assert told(tenant) == [["firing 1"], ["resolved 1"]]


def test_an_alert_that_ends_before_its_group_tells_is_not_told(clock, tenant, root):
    post(tenant, {"n": "1"})
    post(tenant, {"n": "1"}, ends_at=NOON, now=NOON + timedelta(seconds=5))
    clock.advance(seconds=30)
    flush_due(clock)
    assert told(tenant) == []
    assert reasons(tenant) == ["resolved_before_sent"]


def test_a_time_that_is_over_before_its_group_is_told_leaves_a_reason(clock, tenant, root):
    lives = []
    for second in range(3):
        post(tenant, {"n": "1"}, now=NOON + timedelta(seconds=2 * second))
        lives += alert_ids(tenant)
        if second < 2:
            over = NOON + timedelta(seconds=2 * second + 1)
            post(tenant, {"n": "1"}, ends_at=over, now=over)
    clock.advance(seconds=30)
    flush_due(clock)
    assert told(tenant) == [["firing 1"]]
    kept = Suppression.objects.for_tenant(tenant).order_by("pk").values_list("alert_id", "reason", "detail")
    assert list(kept) == [(lives[0], "superseded", str(lives[1])), (lives[1], "superseded", str(lives[2]))]
    assert tracing.undelivered(tenant.pk, before=clock.now()) == []
    assert "began anew" in tracing.in_words(tracing.trace(tenant.pk, lives[0]), "en")[1]


def test_every_reason_for_silence_has_words(tenant):
    reasons = {f"suppressed.{reason}" for reason in MemberReason if reason is not MemberReason.SENT}
    entries = [
        Entry(NOON, kind, {"receiver": "r", "detail": "d"}) for kind in reasons | {"suppressed.superseded"}
    ]
    assert all(sentence(entry, language) for entry in entries for language in LANGUAGES)


def test_an_alert_that_inhibits_keeps_another_quiet(clock, tenant, root):
    rule = InhibitionRule(
        tenant=tenant, source_matchers=['n="down"'], target_matchers=['n="full"'], equal=["host"]
    )
    routes.save(rule, AUTHOR)
    post(tenant, {"n": "down", "host": "a"}, {"n": "full", "host": "a"}, {"n": "full", "host": "b"})
    clock.advance(seconds=30)
    flush_due(clock)
    assert told(tenant) == [["firing down", "firing full"]]
    assert reasons(tenant) == ["inhibited"]


def test_a_route_is_mute_by_the_clock(clock, tenant):
    always = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
    routes.save(MuteTimeInterval(tenant=tenant, name="always", intervals=always), AUTHOR)
    root = make_route(tenant, group_wait_s=0)
    make_route(tenant, parent=root, matchers=['n="1"'], mute_time_intervals=["always"])
    post(tenant, {"n": "1"}, {"n": "2"})
    flush_due(clock)
    assert told(tenant) == [["firing 2"]]
    assert reasons(tenant) == ["muted_by_interval"]


def test_routes_continue_to_their_siblings(clock, tenant):
    first, second, rest = (make_receiver(tenant) for _ in range(3))
    root = make_route(tenant, receiver=rest, group_wait_s=0)
    make_route(tenant, parent=root, matchers=['n="1"'], receiver=first, continues=True)
    make_route(tenant, parent=root, matchers=['n=~"1|2"'], receiver=second, position=1)
    post(tenant, {"n": "1"}, {"n": "2"}, {"n": "3"})
    flush_due(clock)
    assert [told(tenant, one) for one in (first, second, rest)] == [
        [["firing 1"]],
        [["firing 1", "firing 2"]],
        [["firing 3"]],
    ]


def test_acknowledged_alerts_are_not_repeated_but_their_end_is_told(clock, tenant, root):
    post(tenant, {"n": "1"}, ends_at=NOON + timedelta(days=1))
    clock.advance(seconds=30)
    flush_due(clock)
    assert by(clock, tenant).acknowledge(alert_ids(tenant), "on it") == 1
    assert by(clock, tenant).acknowledge(alert_ids(tenant)) == 0
    clock.advance(hours=1)
    flush_due(clock)
    assert told(tenant) == [["firing 1"]]
    post(tenant, {"n": "1"}, ends_at=clock.now(), now=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    assert told(tenant) == [["firing 1"], ["resolved 1"]]


def test_a_snooze_ends_by_itself(clock, tenant, root):
    post(tenant, {"n": "1"}, ends_at=NOON + timedelta(days=1))
    clock.advance(seconds=30)
    by(clock, tenant).snooze(alert_ids(tenant), clock.now() + timedelta(minutes=3))
    for _ in range(4):
        flush_due(clock)
        clock.advance(minutes=1)
    assert told(tenant) == [["firing 1"]]
    assert reasons(tenant) == ["snoozed"]


def test_resolving_by_hand_tells_the_end_and_the_alert_stays_over(clock, tenant, root):
    post(tenant, {"n": "1"}, ends_at=NOON + timedelta(days=1))
    clock.advance(seconds=30)
    flush_due(clock)
    assert by(clock, tenant).resolve(alert_ids(tenant), "fixed") == 1
    post(tenant, {"n": "1"}, ends_at=NOON + timedelta(days=1), now=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    assert told(tenant) == [["firing 1"], ["resolved 1"]]


def test_alerts_nobody_renews_expire(clock, tenant, root):
    post(tenant, {"n": "1"})
    clock.advance(minutes=4)
    post(tenant, {"n": "1"}, now=clock.now())
    clock.advance(minutes=4)
    assert intake.expire(now=clock.now()) == 0
    clock.advance(minutes=1)
    assert intake.expire(now=clock.now()) == 1
    last = AlertTransition.objects.for_tenant(tenant).order_by("at").last()
    assert (last.state, last.trace["reason"]) == ("resolved", "not_renewed")


def test_alerts_sent_twice_are_taken_once(tenant, root):
    assert (post(tenant, {"n": "1"}, {"n": "1"}).began, post(tenant, {"n": "1"}).renewed) == (1, 1)
    assert AlertTransition.objects.for_tenant(tenant).count() == 1


def test_a_new_tree_takes_alerts_that_fire_already(clock, tenant):
    old, new = make_receiver(tenant), make_receiver(tenant)
    root = make_route(tenant, receiver=old, group_wait_s=0, group_interval_s=60)
    post(tenant, {"n": "1"}, ends_at=NOON + timedelta(days=1))
    flush_due(clock)
    make_route(tenant, parent=root, matchers=['n="1"'], receiver=new)
    assert rerouting.reroute_changed(now=clock.now()) == 1
    assert rerouting.reroute_changed(now=clock.now()) == 0
    flush_due(clock)
    assert told(tenant, new) == [["firing 1"]]
    post(tenant, {"n": "1"}, ends_at=clock.now(), now=clock.now())
    clock.advance(minutes=1)
    flush_due(clock)
    assert told(tenant, old) == [["firing 1"], ["resolved 1"]]
    assert told(tenant, new) == [["firing 1"], ["resolved 1"]]


def test_the_story_of_an_alert_is_told_in_two_languages(clock, tenant, root):
    silence(clock, tenant, 'n="1"')
    post(tenant, {"n": "1"}, ends_at=NOON + timedelta(days=1))
    clock.advance(seconds=30)
    flush_due(clock)
    by(clock, tenant).comment(alert_ids(tenant), "known")
    found = tracing.trace(tenant.pk, alert_ids(tenant)[0])
    kinds = [entry.kind for entry in found.entries]
    assert kinds == ["transition.firing", "routed", "suppressed.silenced", "action.commented"]
    assert "on purpose" in tracing.in_words(found, "en")[1]
    assert "à dessein" in tracing.in_words(found, "fr")[1]
    assert tracing.undelivered(tenant.pk, before=clock.now()) == []


def test_an_alert_whose_only_message_died_is_undelivered(clock, tenant, root):
    post(tenant, {"n": "1"})
    clock.advance(seconds=30)
    flush_due(clock)
    assert tracing.undelivered(tenant.pk, before=clock.now()) == []
    OutboxMessage.objects.for_tenant(tenant).update(status="dead", cause="gone")
    (row,) = tracing.undelivered(tenant.pk, before=clock.now())
    assert row.labels["n"] == "1"
    assert "given up" in tracing.in_words(tracing.trace(tenant.pk, row.alert_id), "en")[1]
    long_after = clock.now() + LEDGER_RETENTION
    assert tracing.undelivered(tenant.pk, before=long_after) == []  # delivered messages are forgotten by then


def test_a_silence_that_needs_approval_waits_for_somebody_else(clock, tenant, root):
    quiet = silence(clock, tenant, 'n="1"', needs_approval=True)
    post(tenant, {"n": "1"})
    clock.advance(seconds=30)
    flush_due(clock)
    assert told(tenant) == [["firing 1"]]
    with pytest.raises(InvalidSilence, match="somebody else"):
        silencing.approve_silence(quiet, Author("alice", clock.now()))
    assert silencing.approve_silence(quiet, Author("bob", clock.now())).approved_by == "bob"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        pytest.param({"matchers": []}, "matchers", id="no matcher"),
        pytest.param({"matchers": ['n=~".*"']}, "matchers", id="matches everything"),
        pytest.param({"matchers": ["n=~("]}, "matchers", id="no matcher text"),
        pytest.param({"ends_at": NOON}, "ends_at", id="no length"),
        pytest.param({"comment": " "}, "comment", id="no reason"),
        pytest.param({"recurrence": "FREQ=SECONDLY", "duration_s": 60}, "recurrence", id="every second"),
        pytest.param({"recurrence": "FREQ=DAILY"}, "duration_s", id="recurs without a length"),
    ],
)
def test_a_silence_that_does_not_fit_is_refused(tenant, change, wrong):
    values = {
        "matchers": ['n="1"'],
        "starts_at": NOON,
        "ends_at": NOON + timedelta(hours=1),
        "comment": "works",
    } | change
    with pytest.raises(InvalidSilence) as refusal:
        silencing.create_silence(tenant.pk, SilenceDraft(**values), AUTHOR)
    assert wrong in refusal.value.errors
