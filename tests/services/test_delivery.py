"""The outbox: claimed once, sent at least once, retried, given up with a cause, replayed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
from django.db import connection, transaction

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.models import DeliveryAttempt, OutboxMessage, Receiver, ToldAlert
from rules.notify.notification import DeliveryFailed, DeliveryRefused
from rules.notify.receivers.registry import ReceiverRegistry
from rules.notify.retries import MAX_ATTEMPTS
from rules.services.composing import MAX_ALERTS
from rules.services.delivery import (
    QUEUE_LEASE,
    SEND_LEASE,
    DeliverySummary,
    MessageClaim,
    claim_due_messages,
    claim_messages_of,
    deliver,
    leave,
    replay_dead,
)
from rules.services.links import ACTIONS, read_link
from tests.factories.rows import NOON, make_message, make_receiver, make_tenant, make_transition
from tests.fakes.clock import FakeClock
from tests.fakes.receiver import FakeKind


class WorkerLost(BaseException):
    """Stands for `kill -9`: nothing after it runs."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def kind() -> FakeKind:
    return FakeKind()


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


@pytest.fixture
def receiver(tenant: Tenant) -> Receiver:
    return make_receiver(tenant, kind="fake")


def send_due(clock: FakeClock, kind: FakeKind) -> DeliverySummary:
    claimed = [(claim.message_id, claim.fencing_token) for claim in claim_due_messages(now=clock.now())]
    return deliver(claimed, clock, registry=ReceiverRegistry([kind]), random=Random(1))


def history(message: OutboxMessage) -> list[tuple[int, bool, str]]:
    rows = DeliveryAttempt.objects.for_tenant(message.tenant_id).filter(message=message)
    return list(rows.values_list("number", "delivered", "outcome"))


def test_a_delivered_message_keeps_its_receipt_and_its_attempt(clock, kind, receiver):
    message = make_message(receiver)
    assert send_due(clock, kind) == DeliverySummary(delivered=1)
    message.refresh_from_db()
    assert (message.status, message.receipt, message.delivered_at) == ("delivered", "taken 1", NOON)
    assert history(message) == [(1, True, "taken 1")]
    assert send_due(clock, kind) == DeliverySummary()


def test_the_notification_tells_the_transition(clock, kind, receiver):
    message = make_message(receiver)
    send_due(clock, kind)
    (sent,) = kind.sent
    assert sent.idempotency_key == message.idempotency_key
    (alert,) = sent.alerts
    assert (sent.tenant, sent.state, alert.at) == ("acme", "firing", "2026-03-01T12:00:00+00:00")
    assert alert.labels == {"alertname": "HostDown", "instance": "db1:9100"}
    assert alert.late_by_s == 1.5
    assert sent.trace_id == message.pk.hex
    assert set(sent.actions) == set(ACTIONS)
    assert all(read_link(url.split("/")[-2]).message_id == message.pk for url in sent.actions.values())


def test_a_message_lists_a_bounded_number_of_alerts_the_firing_first(clock, kind, tenant, receiver):
    message = make_message(receiver, make_transition(tenant, state="resolved"))
    for number in range(MAX_ALERTS + 4):
        transition = make_transition(tenant, labels={"n": str(number)})
        ToldAlert.objects.for_tenant(tenant).create(
            tenant=tenant, message=message, transition=transition, alert_id=transition.alert_id
        )
    send_due(clock, kind)
    (sent,) = kind.sent
    assert [alert.state for alert in sent.alerts] == ["firing"] * MAX_ALERTS
    assert sent.truncated == 5


def test_a_receiver_is_sent_no_more_than_its_rate(clock, kind, tenant):
    receiver = make_receiver(tenant, kind="fake", max_per_minute=2)
    messages = [make_message(receiver) for _ in range(3)]
    assert send_due(clock, kind) == DeliverySummary(delivered=2, postponed=1)
    clock.advance(seconds=59)
    assert send_due(clock, kind) == DeliverySummary()
    clock.advance(seconds=1)
    assert send_due(clock, kind) == DeliverySummary(delivered=1)
    assert sorted(len(history(message)) for message in messages) == [1, 1, 1]


def test_a_message_that_was_deleted_since_it_was_claimed_is_counted_as_lost(clock, kind, receiver):
    make_message(receiver)
    claimed = [(claim.message_id, claim.fencing_token) for claim in claim_due_messages(now=clock.now())]
    receiver.delete()
    summary = deliver(claimed, clock, registry=ReceiverRegistry([kind]), random=Random(1))
    assert (summary.lost, summary.delivered) == (1, 0)


def test_a_claimed_message_is_nobody_elses_until_the_lease_ends(clock, receiver):
    make_message(receiver)
    (first,) = claim_due_messages(now=clock.now())
    assert claim_due_messages(now=clock.now() + QUEUE_LEASE - timedelta(seconds=1)) == []
    (second,) = claim_due_messages(now=clock.now() + QUEUE_LEASE)
    assert second.message_id == first.message_id
    assert second.fencing_token == first.fencing_token + 1


def test_an_old_token_sends_nothing(clock, kind, receiver):
    make_message(receiver)
    (old,) = claim_due_messages(now=clock.now())
    clock.advance(seconds=QUEUE_LEASE.total_seconds())
    claim_due_messages(now=clock.now())
    summary = deliver(
        [(old.message_id, old.fencing_token)], clock, registry=ReceiverRegistry([kind]), random=Random(1)
    )
    assert summary == DeliverySummary(lost=1)
    assert kind.sent == []


def test_a_message_is_not_claimed_before_it_is_due(clock, receiver):
    make_message(receiver, next_attempt_at=NOON + timedelta(seconds=5))
    assert claim_due_messages(now=NOON + timedelta(seconds=4)) == []
    assert len(claim_due_messages(now=NOON + timedelta(seconds=5))) == 1


def test_every_receiver_gets_a_turn_before_anyones_second(clock, tenant, receiver):
    for _ in range(5):
        make_message(receiver)
    other = make_receiver(tenant, kind="fake")
    late = make_message(other, make_transition(tenant, at=NOON + timedelta(seconds=1)))
    claims = claim_due_messages(now=NOON + timedelta(seconds=2), limit=2)
    assert late.pk in {claim.message_id for claim in claims}


def test_one_receivers_messages_are_claimed_the_most_overdue_first(clock, tenant, receiver):
    late = make_message(receiver, next_attempt_at=NOON + timedelta(seconds=2))
    first, second = (
        make_message(receiver),
        make_message(receiver, next_attempt_at=NOON + timedelta(seconds=1)),
    )
    make_message(make_receiver(tenant, kind="fake"))
    now = NOON + timedelta(seconds=1)
    claims = claim_messages_of(receiver.pk, now=now, limit=5)
    assert [claim.message_id for claim in claims] == [first.pk, second.pk]
    assert claim_messages_of(receiver.pk, now=now, limit=5) == []
    assert [one.message_id for one in claim_messages_of(receiver.pk, now=late.next_attempt_at, limit=1)] == [
        late.pk
    ]


def test_what_is_left_is_free_at_once_unless_somebody_has_claimed_it_meanwhile(clock, receiver):
    for _ in range(2):
        make_message(receiver)
    old = claim_due_messages(now=clock.now())
    later = clock.now() + QUEUE_LEASE
    (anew,) = claim_messages_of(receiver.pk, now=later, limit=1)
    leave(old, now=later)
    (free,) = claim_due_messages(now=later)
    assert {anew.message_id, free.message_id} == {one.message_id for one in old}


def test_a_lost_worker_leaves_its_attempt_and_the_message_goes_out_again(clock, kind, receiver):
    message = make_message(receiver)
    kind.outcomes = [WorkerLost()]
    with pytest.raises(WorkerLost):
        send_due(clock, kind)
    assert history(message) == [(1, False, "")]
    clock.advance(seconds=SEND_LEASE.total_seconds() - 1)
    assert send_due(clock, kind) == DeliverySummary()
    clock.advance(seconds=1)
    assert send_due(clock, kind) == DeliverySummary(delivered=1)
    first, second = kind.sent
    assert first.idempotency_key == second.idempotency_key
    assert history(message) == [(1, False, ""), (2, True, "taken 2")]


def test_a_failure_is_retried_after_a_delay(clock, kind, receiver):
    message = make_message(receiver)
    kind.outcomes = [DeliveryFailed("HTTP 503")]
    assert send_due(clock, kind) == DeliverySummary(retried=1)
    message.refresh_from_db()
    assert message.status == "due"
    assert timedelta(seconds=1) <= message.next_attempt_at - NOON <= timedelta(seconds=2)
    assert send_due(clock, kind) == DeliverySummary()
    clock.advance(seconds=2)
    assert send_due(clock, kind) == DeliverySummary(delivered=1)
    assert history(message) == [(1, False, "HTTP 503"), (2, True, "taken 2")]


def test_retry_after_is_respected(clock, kind, receiver):
    message = make_message(receiver)
    kind.outcomes = [DeliveryFailed("HTTP 429", retry_after_s=120)]
    send_due(clock, kind)
    message.refresh_from_db()
    assert message.next_attempt_at == NOON + timedelta(seconds=120)


def test_a_refusal_is_a_dead_letter_at_once(clock, kind, receiver):
    message = make_message(receiver)
    kind.outcomes = [DeliveryRefused("HTTP 410: refused")]
    assert send_due(clock, kind) == DeliverySummary(dead=1)
    message.refresh_from_db()
    assert (message.status, message.cause) == ("dead", "HTTP 410: refused")


def test_retries_end_in_a_dead_letter_with_the_cause(clock, kind, receiver):
    message = make_message(receiver)
    kind.outcomes = [DeliveryFailed("HTTP 503") for _ in range(MAX_ATTEMPTS)]
    for _ in range(MAX_ATTEMPTS - 1):
        assert send_due(clock, kind) == DeliverySummary(retried=1)
        clock.advance(minutes=10)
    assert send_due(clock, kind) == DeliverySummary(dead=1)
    message.refresh_from_db()
    assert message.cause == "15 attempts failed, the limit; the last: HTTP 503"
    assert len(history(message)) == MAX_ATTEMPTS


def test_an_unexpected_error_is_recorded_and_stops_no_neighbour(clock, kind, receiver):
    messages = [make_message(receiver), make_message(receiver)]
    kind.outcomes = [ZeroDivisionError("a bug")]
    assert send_due(clock, kind) == DeliverySummary(delivered=1, retried=1)
    outcomes = sorted(outcome for message in messages for _, _, outcome in history(message))
    assert outcomes == ["ZeroDivisionError: a bug", "taken 2"]


def test_a_slow_receiver_does_not_keep_a_worker_beyond_the_claims(clock, kind, receiver):
    for _ in range(3):
        make_message(receiver)

    def take_long() -> None:
        clock.advance(seconds=QUEUE_LEASE.total_seconds())

    kind.outcomes = [take_long]
    assert send_due(clock, kind) == DeliverySummary(delivered=1, left=2)
    assert send_due(clock, kind) == DeliverySummary(delivered=2)


def test_a_disabled_receiver_gets_nothing(clock, kind, tenant):
    message = make_message(make_receiver(tenant, kind="fake", enabled=False))
    assert send_due(clock, kind) == DeliverySummary(dead=1)
    message.refresh_from_db()
    assert message.cause == "the receiver was disabled after the message was written"
    assert kind.sent == []


def test_a_configuration_that_is_not_valid_any_more_is_a_dead_letter(clock, kind, tenant):
    message = make_message(make_receiver(tenant, kind="fake", config={"gone": 1}))
    assert send_due(clock, kind) == DeliverySummary(dead=1)
    message.refresh_from_db()
    assert message.cause.startswith("config.gone: ")


def test_a_dead_letter_is_replayed_once_with_the_same_key(clock, kind, receiver):
    message = make_message(receiver)
    kind.outcomes = [DeliveryRefused("no")]
    send_due(clock, kind)
    clock.advance(hours=1)
    assert replay_dead(message, now=clock.now())
    assert not replay_dead(message, now=clock.now())
    assert send_due(clock, kind) == DeliverySummary(delivered=1)
    first, second = kind.sent
    assert first.idempotency_key == second.idempotency_key
    message.refresh_from_db()
    assert (message.status, message.cause) == ("delivered", "")


def test_what_comes_back_after_another_claim_changes_nothing(clock, kind, receiver):
    """The send outlives its lease, another worker claims the message: the late failure must not reset it."""
    message = make_message(receiver)

    def outlive_the_lease() -> None:
        clock.advance(seconds=SEND_LEASE.total_seconds())
        assert len(claim_due_messages(now=clock.now())) == 1
        raise DeliveryFailed("late")

    kind.outcomes = [outlive_the_lease]
    send_due(clock, kind)
    message.refresh_from_db()
    assert (message.status, message.fencing_token) == ("due", 2)
    assert message.leased_until == clock.now() + QUEUE_LEASE


def test_another_tenant_sees_neither_messages_nor_attempts(clock, kind, receiver):
    make_message(receiver)
    send_due(clock, kind)
    bob = make_tenant("bob")
    with tenant_scope(bob.pk):
        assert OutboxMessage.across_tenants.count() == 0
        assert DeliveryAttempt.across_tenants.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_claim_the_same_message(clock):
    """The first holds its claim uncommitted: the second neither waits for it nor takes the same rows."""
    with platform_scope():
        receiver = make_receiver(make_tenant(), kind="fake")
        messages = {make_message(receiver).pk for _ in range(4)}

    def claim_elsewhere() -> list[MessageClaim]:
        try:
            return claim_due_messages(now=clock.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first = {claim.message_id for claim in claim_due_messages(now=clock.now(), limit=2)}
            second = {claim.message_id for claim in pool.submit(claim_elsewhere).result(timeout=30)}
        assert claim_due_messages(now=clock.now()) == []
    assert first | second == messages
    assert first & second == set()
