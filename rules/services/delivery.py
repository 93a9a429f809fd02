"""Delivering the outbox: claim with a lease, send, record the receipt. At least once, and never silently
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from random import Random, SystemRandom
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import connection, transaction

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from alertsite.tenancy.selecting import Selection, rows_of
from rules.models import DeliveryAttempt, OutboxMessage, Receiver
from rules.notify.notification import DeliveryFailed, DeliveryRefused, Receipt
from rules.notify.receivers.registry import ReceiverRegistry
from rules.notify.retries import Retry, after_failure
from rules.services.composing import Told, notification_of, told_by
from rules.services.receivers import receiver_registry

log = structlog.get_logger(__name__)

QUEUE_LEASE: Final = timedelta(seconds=30)
"""How long a claimed message may wait for its turn before somebody else may claim it."""
SEND_LEASE: Final = timedelta(seconds=75)
"""How long one attempt may take: the longest timeout a receiver may have, and some."""
MESSAGES_PER_BATCH: Final = 20
RATE_WINDOW: Final = timedelta(minutes=1)

# One turn for each receiver first: a receiver with many messages does not make the others wait.
_CLAIM: Final = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY receiver_id ORDER BY next_attempt_at) AS turn
    FROM rules_outboxmessage
    WHERE status = 'due' AND next_attempt_at <= %(now)s AND leased_until <= %(now)s
), taken AS (
    SELECT message.id FROM rules_outboxmessage message JOIN due USING (id)
    WHERE message.status = 'due' AND message.leased_until <= %(now)s
    ORDER BY due.turn, message.next_attempt_at
    LIMIT %(limit)s
    FOR UPDATE OF message SKIP LOCKED
)
UPDATE rules_outboxmessage message
SET leased_until = %(until)s, fencing_token = message.fencing_token + 1
FROM taken WHERE message.id = taken.id
RETURNING message.id, message.receiver_id, message.fencing_token
"""

_CLAIM_OF: Final = """
WITH taken AS (
    SELECT id FROM rules_outboxmessage
    WHERE receiver_id = %(receiver)s AND status = 'due' AND next_attempt_at <= %(now)s
        AND leased_until <= %(now)s
    ORDER BY next_attempt_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE rules_outboxmessage message
SET leased_until = %(until)s, fencing_token = message.fencing_token + 1
FROM taken WHERE message.id = taken.id
RETURNING message.id, message.receiver_id, message.fencing_token
"""

_LEAVE: Final = """
UPDATE rules_outboxmessage message SET leased_until = %(now)s
FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS held(id, token)
WHERE message.id = held.id AND message.fencing_token = held.token
    AND message.status NOT IN ('delivered', 'dead', 'cancelled')
"""

_MESSAGE: Final = Selection(OutboxMessage)
_RECEIVER: Final = Selection(Receiver)
_TENANT: Final = Selection(Tenant, "id", "slug")
_OWED: Final = f"""
SELECT {_MESSAGE.of("message")}, {_RECEIVER.of("receiver")}, {_TENANT.of("tenant")}
FROM rules_outboxmessage message
JOIN rules_receiver receiver ON receiver.id = message.receiver_id
JOIN tenancy_tenant tenant ON tenant.id = message.tenant_id
WHERE message.id = ANY(%s)
"""  # noqa: S608 (names of our own columns)

# "Not ended" instead of "due": of a queue that grows faster than statistics the planner believes that it is
# short, and would look for the message among all that are due.
_BEGIN: Final = """
WITH held AS (
    UPDATE rules_outboxmessage SET leased_until = %(until)s, attempts = attempts + 1
    WHERE id = %(id)s AND fencing_token = %(token)s AND status NOT IN ('delivered', 'dead', 'cancelled')
    RETURNING id, tenant_id, attempts
)
INSERT INTO rules_deliveryattempt (tenant_id, message_id, number, started_at, delivered, outcome)
SELECT tenant_id, id, attempts, %(now)s, false, '' FROM held
RETURNING id, number
"""

_END: Final = """
WITH ended AS (
    UPDATE rules_deliveryattempt
    SET finished_at = %(now)s, delivered = %(delivered)s, outcome = %(outcome)s WHERE id = %(attempt)s
)
UPDATE rules_outboxmessage SET
    status = COALESCE(%(status)s, status),
    cause = COALESCE(%(cause)s, cause),
    receipt = COALESCE(%(receipt)s, receipt),
    delivered_at = COALESCE(%(delivered_at)s, delivered_at),
    next_attempt_at = COALESCE(%(next_attempt_at)s, next_attempt_at),
    leased_until = COALESCE(%(leased_until)s, leased_until)
WHERE id = %(message)s AND fencing_token = %(token)s
"""


@dataclass(frozen=True, slots=True)
class MessageClaim:
    """A message that is ours to send while nobody holds a newer token."""

    message_id: UUID
    receiver_id: UUID
    fencing_token: int


@dataclass(slots=True)
class DeliverySummary:
    """What became of a batch of messages."""

    delivered: int = 0
    retried: int = 0
    dead: int = 0
    lost: int = 0
    """Claimed by somebody else meanwhile."""
    postponed: int = 0
    """Beyond what the receiver may be sent in a minute."""
    left: int = 0
    """Not begun, since the ones before took as long as a claim lasts."""


def claim_due_messages(*, now: datetime, limit: int = 500) -> list[MessageClaim]:
    """Take messages that are due and free, one of each receiver before anyone's second."""
    parameters: dict[str, Any] = {"now": now, "until": now + QUEUE_LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [MessageClaim(*row) for row in cursor.fetchall()]


def claim_messages_of(receiver_id: UUID, *, now: datetime, limit: int) -> list[MessageClaim]:
    """Take messages of one receiver that are due and free, the most overdue first."""
    parameters = {"receiver": receiver_id, "now": now, "until": now + QUEUE_LEASE, "limit": limit}
    with platform_scope():
        return [MessageClaim(*row) for row in rows_of(_CLAIM_OF, parameters)]


def leave(claims: Sequence[MessageClaim], *, now: datetime) -> None:
    """Give claims up: the messages are free for whoever claims them next."""
    if not claims:
        return
    ids, tokens = [one.message_id for one in claims], [one.fencing_token for one in claims]
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_LEAVE, {"ids": ids, "tokens": tokens, "now": now})


def deliver(
    claimed: Sequence[tuple[UUID, int]],
    clock: Clock,
    *,
    registry: ReceiverRegistry | None = None,
    random: Random | None = None,
) -> DeliverySummary:
    """Send each claimed message once and record what came of it.

    For each message:
    1. Check the token, count the attempt and store it, in one statement.
    2. Send.
    3. Record receipt, retry or dead letter. A worker lost between 2 and 3 leaves the stored attempt; the
       message is sent again after the lease, with the same idempotency key.

    When the claims have run out the rest is left to whoever claims it next: the task ends in time.
    """
    summary = DeliverySummary()
    run = _Run(clock, registry or receiver_registry(), random or SystemRandom(), summary)
    ends_ms = clock.now_ms() + QUEUE_LEASE // timedelta(milliseconds=1)
    with platform_scope():
        messages = _owed([message_id for message_id, _ in claimed])
        told = told_by(messages.values())
        for position, (message_id, token) in enumerate(claimed):
            if clock.now_ms() >= ends_ms:
                summary.left = len(claimed) - position
                break
            if message_id in messages:
                run.deliver_one(messages[message_id], token, told[message_id])
            else:
                summary.lost += 1  # deleted since it was claimed, with its receiver
    return summary


def _owed(wanted: list[UUID]) -> dict[UUID, OutboxMessage]:
    """The messages that are still there. Receivers are shared: to decrypt one's secrets costs more than to
    read a message.
    """
    found: dict[UUID, OutboxMessage] = {}
    receivers: dict[UUID, Receiver] = {}
    for row in rows_of(_OWED, [wanted]):
        message = _MESSAGE.instance(row)
        if message.receiver_id not in receivers:
            receivers[message.receiver_id] = _RECEIVER.instance(row, _MESSAGE.width)
        message.receiver = receivers[message.receiver_id]
        message.tenant = _TENANT.instance(row, _MESSAGE.width + _RECEIVER.width)
        found[message.pk] = message
    return found


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A try that is stored and under way."""

    id: int
    number: int
    message: OutboxMessage
    token: int


@dataclass(frozen=True, slots=True)
class _Ending:
    """What an attempt makes of its message; None leaves a column as it is."""

    status: str | None = None
    cause: str | None = None
    receipt: str | None = None
    delivered_at: datetime | None = None
    next_attempt_at: datetime | None = None
    leased_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    clock: Clock
    registry: ReceiverRegistry
    random: Random
    summary: DeliverySummary

    def deliver_one(self, message: OutboxMessage, token: int, told: Told) -> None:
        """Begin, send and record one message. What goes wrong is recorded on it."""
        attempt = self._begin(message, token)
        if attempt is None:
            return
        try:
            receipt = self._send(message, told)
        except DeliveryFailed as error:
            self._after_failure(attempt, str(error), error.retry_after_s)
        except PlatformError as error:  # refused, or a configuration that is not valid any more
            self._dead(attempt, str(error))
        except Exception as error:  # the call into a receiver: recorded, counted, retried
            log.exception("delivery.unexpected", message=str(message.pk))
            self._after_failure(attempt, f"{type(error).__name__}: {error}", None)
        else:
            self._delivered(attempt, receipt)

    def _begin(self, message: OutboxMessage, token: int) -> _Attempt | None:
        now = to_datetime(self.clock.now_ms())
        if message.receiver.max_per_minute is None:
            return self._stored(message, token, now)
        with transaction.atomic():
            free_at = _room(message.receiver_id, now)
            if free_at is None:
                return self._stored(message, token, now)
            held = OutboxMessage.across_tenants.filter(pk=message.pk, fencing_token=token, status="due")
            self.summary.postponed += held.update(next_attempt_at=free_at, leased_until=now)
            return None

    def _stored(self, message: OutboxMessage, token: int, now: datetime) -> _Attempt | None:
        terms: dict[str, Any] = {"id": message.pk, "token": token, "now": now, "until": now + SEND_LEASE}
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN, terms)
            row = cursor.fetchone()
        if row is None:
            self.summary.lost += 1
            return None
        return _Attempt(row[0], row[1], message, token)

    def _send(self, message: OutboxMessage, told: Told) -> Receipt:
        receiver = message.receiver
        if not receiver.enabled:
            raise DeliveryRefused("the receiver was disabled after the message was written")
        channel = self.registry.open(receiver.kind, receiver.config, receiver.secrets)
        return channel.send(notification_of(message, told))

    def _after_failure(self, attempt: _Attempt, reason: str, retry_after_s: float | None) -> None:
        verdict = after_failure(
            reason, attempts=attempt.number, retry_after_s=retry_after_s, random=self.random
        )
        if isinstance(verdict, Retry):
            self._retry(attempt, reason, verdict.delay_s)
        else:
            self._dead(attempt, verdict.cause)

    def _delivered(self, attempt: _Attempt, receipt: Receipt) -> None:
        now = to_datetime(self.clock.now_ms())
        text = receipt.text[:500]
        ending = _Ending(OutboxMessage.Status.DELIVERED, receipt=text, delivered_at=now)
        _end(attempt, ending, text, now=now, delivered=True)
        self.summary.delivered += 1

    def _dead(self, attempt: _Attempt, cause: str) -> None:
        ending = _Ending(OutboxMessage.Status.DEAD, cause=cause[:300])
        _end(attempt, ending, cause, now=to_datetime(self.clock.now_ms()))
        self.summary.dead += 1

    def _retry(self, attempt: _Attempt, reason: str, delay_s: float) -> None:
        now = to_datetime(self.clock.now_ms())
        ending = _Ending(next_attempt_at=now + timedelta(seconds=delay_s), leased_until=now)
        _end(attempt, ending, reason, now=now)
        self.summary.retried += 1


def _end(attempt: _Attempt, ending: _Ending, outcome: str, *, now: datetime, delivered: bool = False) -> None:
    """Record what came of an attempt, and of its message if nobody else has claimed it meanwhile."""
    terms: dict[str, Any] = asdict(ending) | {
        "attempt": attempt.id,
        "message": attempt.message.pk,
        "token": attempt.token,
        "now": now,
        "delivered": delivered,
        "outcome": outcome[:500],
    }
    with connection.cursor() as cursor:
        cursor.execute(_END, terms)


def _room(receiver_id: UUID, now: datetime) -> datetime | None:
    """When a receiver may be sent more, if it has had its messages of this minute.

    Its row is held until the attempt is stored, so that two workers cannot both take the last place.
    """
    limited = Receiver.across_tenants.filter(pk=receiver_id, max_per_minute__isnull=False)
    receiver = limited.select_for_update().first()
    if receiver is None:
        return None
    attempts = DeliveryAttempt.across_tenants.filter(
        message__receiver=receiver, started_at__gt=now - RATE_WINDOW
    )
    first = attempts.order_by("-started_at").values_list("started_at", flat=True)
    earliest: datetime | None = first[receiver.max_per_minute - 1 : receiver.max_per_minute].first()
    return None if earliest is None else earliest + RATE_WINDOW


def replay_dead(message: OutboxMessage, *, now: datetime) -> bool:
    """Make a dead letter due again. False if it is not dead any more."""
    dead = OutboxMessage.objects.for_tenant(message.tenant_id).filter(pk=message.pk, status="dead")
    return dead.update(status="due", cause="", next_attempt_at=now, leased_until=now) == 1
