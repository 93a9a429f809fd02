"""What happens to automations while one is looked at or carried out: nothing is done twice, or in vain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from alertsite.audit.services import Author
from alertsite.core.errors import Conflict
from healing.models import Automation
from healing.services import automating, automations, proposals
from healing.services.automations import save_automation
from tests.factories.automating import Workers, make_automation, make_ticks, move_on
from tests.factories.healing import ALICE, Hand
from tests.factories.rows import NOON
from tests.services.test_automations import TUNING, acme, told

__all__ = ["acme"]


@dataclass
class Meddled(Workers):
    """A fleet to which something happens while it is asked or told."""

    asked: Callable[[], object] = lambda: None
    told: Callable[[], object] = lambda: None
    silent_from: int = 99
    times: int = 0

    def processes(self):
        self.asked()
        self.times += 1
        return super().processes() if self.times < self.silent_from else {}

    def resize(self, worker, by):
        self.told()
        super().resize(worker, by)


def late_tuner(acme):
    row = make_automation(acme, "tune", **TUNING | {"ranges": {"workers": [1, 8]}})
    make_ticks(acme, NOON, count=150, late_s=9.0, took_s=8.0)
    return row


def test_what_was_looked_at_before_it_was_disarmed_is_not_done(acme):
    row = late_tuner(acme)
    fleet = Meddled(asked=lambda: automations.disarm(row, ALICE))

    move_on(Hand.at(), fleet)

    assert (told(acme), fleet.of) == ([], {"evaluate@one": 2, "evaluate@two": 2})
    assert move_on(Hand.at()) == 1, "it is looked at anew at once"
    assert told(acme) == [("workers", "4", "6", "proposed")]


def test_what_is_approved_meanwhile_waits_for_what_is_being_carried_out(acme):
    row = late_tuner(acme)
    claims = []

    def approved():
        Automation.objects.for_tenant(acme).filter(pk=row.pk).update(next_due_at=NOON)
        claims.extend(automating.claim_due(now=NOON))

    move_on(Hand.at(), Meddled(told=approved))

    assert (claims, told(acme)[0][3]) == ([], "applied")
    assert len(automating.claim_due(now=NOON)) == 1


def test_a_size_is_not_called_set_while_no_worker_answers(acme):
    late_tuner(acme)
    hand = Hand.at()

    move_on(hand, Meddled(silent_from=2))
    assert told(acme) == [("workers", "4", "6", "approved")]
    hand.clock.advance(seconds=301)
    fleet = Workers()
    move_on(hand, fleet)

    assert (told(acme), sum(fleet.of.values())) == ([("workers", "4", "6", "applied")], 6)


def test_what_nobody_would_carry_out_is_not_approved(acme):
    row = make_automation(acme, "tune", armed=False, **TUNING)
    made = proposals.propose(row, proposals.Change("workers", "4", "6", "late"), shadow=False, now=NOON)
    row.enabled = False
    save_automation(row, ALICE)

    with pytest.raises(Conflict, match="switched off"):
        proposals.approve(made, Author("bob", NOON))
