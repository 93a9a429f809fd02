"""What must not be let through: yeses that do not count, however they are said, and yeses used again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alertsite.audit.services import Author
from alertsite.tenancy.scope import platform_scope
from healing.approvals.quorum import VoteReason
from healing.models import HealingPolicy, HealingRun
from healing.services import approving
from rules.services.silencing import SilenceDraft, create_silence
from tests.factories.healing import FAKE, Hand, make_account, make_playbook
from tests.factories.playbooks import playbook_of
from tests.factories.rows import NOON, make_tenant

TEXT = playbook_of(
    "{action: restart_service, account: prod, with: {service: checkout}}",
    head="trigger: {manual: true}\napproval: {expires: 10m}",
)


@pytest.fixture
def acme(db, redis_url, settings):
    settings.CLOUD_ADAPTERS = [FAKE]
    with platform_scope():
        yield make_tenant("acme")


def reread(run):
    return HealingRun.objects.for_tenant(run.tenant_id).get(pk=run.pk)


def say_yes(run, hand, person, *, plan=None, is_person=True):
    shown = reread(run)
    said = approving.Said(True, "", shown.subject, shown.plan_hash if plan is None else plan)
    author = Author(person, hand.clock.now())
    return approving.vote(run.tenant_id, run.pk, said, author, is_person=is_person)


@pytest.mark.parametrize(
    ("person", "late_s", "terms", "reason"),
    [
        pytest.param("alice", 0, {}, VoteReason.AUTHOR, id="of the author"),
        pytest.param("zoe", 0, {}, VoteReason.STARTER, id="of whoever started it"),
        pytest.param("bob", 0, {"is_person": False}, VoteReason.NOT_A_PERSON, id="of a machine"),
        pytest.param("bob", 0, {"plan": "f" * 64}, VoteReason.OTHER_PLAN, id="to another plan"),
        pytest.param("bob", 600, {}, VoteReason.EXPIRED, id="too late"),
    ],
)
def test_a_yes_that_does_not_count_does_nothing(acme, person, late_s, terms, reason):
    here = make_account(acme)
    hand = Hand.at()
    run = hand.start(make_playbook(acme, TEXT))
    hand.advance()
    assert reread(run).state == "awaiting"
    hand.clock.advance(seconds=late_s)

    with pytest.raises(approving.VoteRefused) as refused:
        say_yes(run, hand, person, **terms)
    hand.run_for(10)

    assert refused.value.reason is reason
    assert (here.effects, reread(run).granted) == ([], 0)


def test_a_yes_in_time_lets_the_run_go_on_once(acme):
    here = make_account(acme)
    hand = Hand.at()
    run = hand.start(make_playbook(acme, TEXT))
    hand.advance()
    say_yes(run, hand, "bob")

    hand.run_for(10)

    assert (reread(run).state, len(here.effects)) == ("succeeded", 1)


def test_a_yes_that_was_spent_does_not_count_again_when_more_are_needed(acme):
    """Held after it was approved, the run asks anew once the tenant wants four eyes."""
    here = make_account(acme)
    hand = Hand.at()
    run = hand.start(make_playbook(acme, TEXT))
    hand.advance()
    say_yes(run, hand, "bob")
    window = SilenceDraft(
        ['alertname="ServiceDown"'], NOON, NOON + timedelta(seconds=30), "moving", kind="maintenance"
    )
    create_silence(acme.pk, window, Author("dave", NOON))
    hand.run_for(10)
    assert reread(run).state == "held"
    HealingPolicy.objects.create(tenant=acme, low="none", medium="four-eyes", high="four-eyes")
    hand.run_for(40)
    assert reread(run).state == "awaiting"

    say_yes(run, hand, "carol")
    hand.run_for(10)
    assert (reread(run).state, here.effects) == ("awaiting", [])
    say_yes(run, hand, "dave")
    hand.run_for(10)

    assert (reread(run).state, len(here.effects)) == ("succeeded", 1)


def test_what_was_approved_is_not_what_a_changed_trigger_would_do(acme):
    """The labels of a run are part of its plan: another plan was not approved."""
    here = make_account(acme)
    hand = Hand.at()
    run = hand.start(make_playbook(acme, TEXT))
    hand.advance()
    say_yes(run, hand, "bob")
    HealingRun.objects.for_tenant(acme).filter(pk=run.pk).update(labels={"service": "other"})

    hand.run_for(10)

    assert (reread(run).state, here.effects) == ("rejected", [])
