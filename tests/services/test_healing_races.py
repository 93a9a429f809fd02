"""Workers that really run at the same time: none breaks a limit, none does a step twice."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from django.db import connection

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.tenancy.scope import platform_scope
from healing.models import HealingPolicy, HealingRun, HealingStep
from healing.services import advancing, claiming
from healing.services.means import Means
from tests.factories.healing import FAKE, Hand, make_account, make_playbook
from tests.factories.playbooks import playbook_of
from tests.factories.rows import make_tenant

WORKERS, RUNS, ALLOWED = 6, 24, 7


@pytest.mark.django_db(transaction=True)
def test_many_workers_keep_one_limit(redis_url, settings):
    settings.CLOUD_ADAPTERS = [FAKE]
    head = f"trigger: {{manual: true}}\nlimits: {{per_hour: {ALLOWED}, cool_down: 0s, concurrent: 100}}"
    step = '{action: restart_instance, account: prod, with: {instance: "{{ labels.service }}"}}'
    with platform_scope():
        tenant = make_tenant("acme")
        HealingPolicy.objects.create(tenant=tenant, low="none", medium="none", high="none")
        here = make_account(tenant, **{f"s{number}": 1 for number in range(RUNS)})
        playbook = make_playbook(tenant, playbook_of(step, head=head))
        hand = Hand.at(to_datetime(SystemClock().now_ms()))
        for number in range(RUNS):
            hand.start(playbook, service=f"s{number}")

    def work(seed: int) -> None:
        means = Means(SystemClock(), Random(seed))
        try:
            for _ in range(4):
                advancing.advance_claims(claiming.claim_due_runs(now=means.now, limit=3), means)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(work, seed) for seed in range(WORKERS)]:
            done.result()

    with platform_scope():
        assert len(here.effects) == ALLOWED
        assert set(Counter(effect.key for effect in here.effects).values()) == {1}
        states = Counter(HealingRun.objects.for_tenant(tenant).values_list("state", flat=True))
        waiting = HealingStep.objects.for_tenant(tenant).filter(reason="limit per_hour leaves no room")
        assert states == {"succeeded": ALLOWED, "running": RUNS - ALLOWED}
        assert waiting.count() == RUNS - ALLOWED
