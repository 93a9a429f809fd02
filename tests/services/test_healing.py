"""Runs of playbooks against a provider in memory: the ways through, and every way a step can be cut."""

from __future__ import annotations

import pytest

from alertsite.audit.services import first_break
from alertsite.tenancy.scope import platform_scope
from healing.models import HealingRun
from healing.services import starting
from tests.factories.healing import FAKE, Hand, fire, make_account, make_playbook
from tests.factories.playbooks import RESTART
from tests.factories.rows import NOON, make_tenant

RESTART_STEP = (
    '{id: restart, action: restart_service, account: prod, with: {service: "{{ labels.service }}"}}'
)
NO_APPROVAL = {"low": "none", "medium": "none", "high": "none"}


@pytest.fixture
def acme(db, redis_url, settings):
    settings.CLOUD_ADAPTERS = [FAKE]
    with platform_scope():
        yield make_tenant("acme")


@pytest.fixture
def lenient(acme):
    """Nobody need approve."""
    from healing.models import HealingPolicy

    HealingPolicy.objects.create(tenant=acme, **NO_APPROVAL)
    return acme


def reread(run):
    return HealingRun.objects.for_tenant(run.tenant_id).get(pk=run.pk)


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
    assert [effect.parameters["service"] for effect in here.effects] == ["checkout"]
    assert first_break(lenient.pk) is None
