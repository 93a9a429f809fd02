"""Sending beside the tasks: what finds no thread is left, and a receiver leaves threads to its neighbours."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest

from rules.services.delivery import MessageClaim
from rules.services.senders import Senders

SLOW, QUICK = UUID(int=1), UUID(int=2)
WITHIN_S = 20


def claims(receiver: UUID, count: int) -> list[MessageClaim]:
    return [MessageClaim(uuid4(), receiver, 1) for _ in range(count)]


@pytest.fixture
def gate():
    """Opened, it lets go of whoever sends."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.mark.django_db
def test_everything_taken_is_sent_once(gate):
    senders, sent = Senders(threads=4, per_receiver=3), []
    wanted = claims(QUICK, 7)
    assert senders.take(wanted, sent.extend) == []
    senders.wait()
    assert sorted(one.message_id for one in sent) == sorted(one.message_id for one in wanted)


def test_a_slow_receiver_leaves_threads_to_others(gate):
    senders, sent = Senders(threads=3, per_receiver=2), []

    def wait(batch):
        gate.wait(WITHIN_S)
        sent.extend(batch)

    stuck, more, other = claims(SLOW, 2), claims(SLOW, 2), claims(QUICK, 1)
    assert senders.take(stuck, wait) == []
    assert senders.take(more, wait) == more
    assert senders.take(other, wait) == []
    assert senders.take(claims(UUID(int=3), 1), wait) != []
    gate.set()
    senders.wait()
    assert {one.message_id for one in sent} == {one.message_id for one in (*stuck, *other)}


def test_a_thread_is_free_again_when_its_sending_fails(gate):
    senders = Senders(threads=1, per_receiver=1)
    failed = threading.Event()

    def fail(_):
        failed.set()
        raise ValueError("broken")

    assert senders.take(claims(QUICK, 1), fail) == []
    assert failed.wait(WITHIN_S)
    sent, one = [], claims(QUICK, 1)
    for _ in range(1000):
        if not senders.take(one, sent.extend):
            break
        threading.Event().wait(0.01)
    senders.wait()
    assert sent == one
