"""Sending beside the tasks: receivers take turns, and what finds no room stays in the database."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest

from rules.services import senders as module
from rules.services.delivery import MESSAGES_PER_BATCH, MessageClaim
from rules.services.senders import Senders

SLOW, QUICK, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
WITHIN_S = 20


def claims(receiver: UUID, count: int) -> list[MessageClaim]:
    return [MessageClaim(uuid4(), receiver, 1) for _ in range(count)]


def nothing(receiver: UUID, limit: int) -> list[MessageClaim]:
    """A database that owes nothing more."""
    return []


class Channel:
    """Notes what it sends; what is for `SLOW` waits until the gate opens."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.sent: list[MessageClaim] = []
        self.batches: list[int] = []
        self.quick = threading.Semaphore(0)

    def __call__(self, batch):
        """Send."""
        if batch[0].receiver_id == SLOW:
            self.gate.wait(WITHIN_S)
        self.sent += batch
        self.batches.append(len(batch))
        if batch[0].receiver_id != SLOW:
            self.quick.release()


@pytest.fixture
def channel():
    made = Channel()
    yield made
    made.gate.set()


def test_everything_taken_is_sent_once(channel):
    senders = Senders(channel, nothing, threads=4)
    wanted = claims(QUICK, 70)
    assert senders.take(wanted) == []
    senders.wait()
    assert sorted(one.message_id for one in channel.sent) == sorted(one.message_id for one in wanted)


def test_a_slow_receiver_leaves_threads_to_others(channel, monkeypatch):
    monkeypatch.setattr(module, "PER_RECEIVER", 2)
    senders = Senders(channel, nothing, threads=3)
    stuck = claims(SLOW, 6)
    assert senders.take(stuck) == []
    for receiver in (QUICK, THIRD):
        assert senders.take(claims(receiver, 1)) == []
        assert channel.quick.acquire(timeout=WITHIN_S)
    assert {one.receiver_id for one in channel.sent} == {QUICK, THIRD}
    channel.gate.set()
    senders.wait()
    assert {one.message_id for one in stuck} < {one.message_id for one in channel.sent}


def test_a_storm_to_a_quick_receiver_is_sent_by_one_thread(channel, monkeypatch):
    monkeypatch.setattr(module, "STORM", 2)
    senders = Senders(channel, nothing, threads=3)
    assert senders.take(claims(SLOW, 3)) == []
    assert senders.take(claims(SLOW, 3)) == []
    assert senders.take(claims(QUICK, 1)) == []
    assert channel.quick.acquire(timeout=WITHIN_S)
    assert len(senders.stop()) >= 5
    channel.gate.set()
    senders.wait()
    assert len(channel.sent) == 2


def test_messages_of_a_quick_receiver_are_read_together(channel):
    senders = Senders(channel, nothing, threads=1)
    senders.take([*claims(SLOW, 1), *claims(QUICK, 200)])
    channel.gate.set()
    senders.wait()
    assert 1 < max(channel.batches) <= MESSAGES_PER_BATCH


def test_what_finds_no_room_is_fetched_when_there_is_some(channel, monkeypatch):
    monkeypatch.setattr(module, "ROOM", 4)
    owed: list[MessageClaim] = []

    def fetch(receiver, limit):
        assert receiver == SLOW
        return [owed.pop() for _ in range(min(limit, len(owed)))]

    senders = Senders(channel, fetch, threads=1)
    wanted = claims(SLOW, 11)
    owed += senders.take(wanted)
    assert len(owed) >= 6
    assert senders.take(claims(QUICK, 1)) == []
    channel.gate.set()
    senders.wait()
    assert {one.message_id for one in wanted} < {one.message_id for one in channel.sent}
    assert len(channel.sent) == 12


def test_a_failure_costs_no_thread(channel):
    failed: list[MessageClaim] = []

    def fail(batch):
        if batch[0].receiver_id == THIRD:
            failed.extend(batch)
            raise ValueError("broken")
        channel(batch)

    senders = Senders(fail, nothing, threads=1)
    senders.take([*claims(THIRD, 2), *claims(QUICK, 3)])
    senders.wait()
    assert (len(failed), len(channel.sent)) == (2, 3)


def test_who_stops_returns_what_waits_and_takes_no_more(channel):
    senders = Senders(channel, nothing, threads=1)
    taken = claims(SLOW, 5)
    senders.take(taken)
    left = senders.stop()
    channel.gate.set()
    senders.wait()
    assert len(left) >= 4
    assert len(left) + len(channel.sent) == 5
    more = claims(QUICK, 1)
    assert senders.take(more) == more
