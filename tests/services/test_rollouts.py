"""Rollouts run end to end on a simulated cluster, and stop by themselves when one of our own alerts fires."""

from __future__ import annotations

import copy

import pytest

from alertsite.audit.services import Author
from alertsite.tenancy.scope import platform_scope
from cloud.models import CloudAccount
from healing.automation.rollouts import Canary, UnknownAlert, Watch, canary_playbook, rolling_playbook
from healing.models import HealingPolicy, HealingRun
from healing.services import approving
from healing.services.rollouts import check_watch
from rules.services import selfalerts
from rules.services.querying import QueryTerms, TenantQueries
from tests.factories.healing import Hand, make_playbook
from tests.factories.rows import NOON, make_group, make_rule, make_tenant

pytest.importorskip("kubernetes")
from cloud.simulators.kubernetes import Cluster
from cloud.simulators.server import serving

WATCH = Watch(soak_ms=60_000)
CANARY = Canary("cluster", "web", "web-new", 4, (0.25, 1.0))


@pytest.fixture
def acme(db, redis_url, settings):
    settings.CLOUD_ALLOW_PRIVATE = True
    with platform_scope():
        made = make_tenant("acme")
        HealingPolicy.objects.create(tenant=made, low="none", medium="none", high="none", share=1.0)
        yield made


@pytest.fixture
def cluster(acme):
    """An account on a cluster that runs the release before, four replicas, and none of the new."""
    world = Cluster()
    world.add_node("node-a")
    for name, replicas in (("web", 4), ("web-new", 0), ("worker", 2)):
        world.add_deployment("default", name, replicas)
    with serving(world) as server:
        CloudAccount.objects.create(
            tenant=acme, name="cluster", provider="kubernetes",
            settings={"server": server.url}, credentials={"token": "t"},
        )  # fmt: skip
        yield world


def sizes(world):
    return {name: one["spec"]["replicas"] for (_, name), one in world.deployments.items()}


def reread(run):
    return HealingRun.objects.for_tenant(run.tenant_id).get(pk=run.pk)


class Watched(Hand):
    """A hand that looks after alerts meanwhile, as `watch` does."""

    def run_for(self, seconds: float, step_s: float = 10.0) -> None:
        for _ in range(round(seconds / step_s)):
            selfalerts.publish(now=self.clock.now())
            self.advance()
            self.clock.advance(seconds=step_s)


def roll(acme, text):
    hand = Watched.at()
    run = hand.start(make_playbook(acme, text))
    hand.advance()
    run.refresh_from_db()
    said = approving.Said(True, "", run.subject, run.plan_hash)
    approving.vote(acme.pk, run.pk, said, Author("bob", NOON), is_person=True)
    return hand, run


def raise_alert(acme, hand):
    selfalerts.begin(acme.pk, selfalerts.DEAD_LETTER, {"receiver": "pager"}, "dead", now=hand.clock.now())


def test_a_canary_grows_until_the_old_release_is_gone(acme, cluster):
    hand, run = roll(acme, canary_playbook(CANARY, WATCH))

    hand.run_for(60)
    assert sizes(cluster) == {"web": 4, "web-new": 1, "worker": 2}
    hand.run_for(600)

    assert (reread(run).state, sizes(cluster)) == ("succeeded", {"web": 0, "web-new": 4, "worker": 2})


def test_a_canary_is_stopped_by_an_alert_and_taken_back(acme, cluster):
    hand, run = roll(acme, canary_playbook(CANARY, WATCH))
    hand.run_for(30)
    assert sizes(cluster)["web-new"] == 1

    raise_alert(acme, hand)
    hand.run_for(300)

    assert (reread(run).state, sizes(cluster)) == ("rolled_back", {"web": 4, "web-new": 0, "worker": 2})
    assert "does not hold" in reread(run).reason


def test_a_canary_does_not_begin_while_an_alert_fires(acme, cluster):
    hand = Watched.at()
    raise_alert(acme, hand)
    _, run = roll(acme, canary_playbook(CANARY, WATCH))
    hand.run_for(60)

    assert (reread(run).state, sizes(cluster)["web-new"]) == ("failed", 0)


def template(world, name):
    """As it is now."""
    return copy.deepcopy(world.deployments["default", name]["spec"]["template"])


def test_rolling_restarts_one_after_another(acme, cluster):
    before = {name: template(cluster, name) for name in ("web", "worker")}
    hand, run = roll(acme, rolling_playbook("cluster", ["web", "worker"], WATCH))
    hand.run_for(40)
    assert template(cluster, "web") != before["web"]
    assert template(cluster, "worker") == before["worker"]

    hand.run_for(500)

    assert reread(run).state == "succeeded", reread(run).reason
    assert template(cluster, "worker") != before["worker"]


@pytest.mark.parametrize(
    ("after_s", "kept"),
    [
        pytest.param(40, ["web", "worker"], id="after the first"),
        pytest.param(130, ["worker"], id="after the last"),
    ],
)
def test_rolling_goes_back_where_an_alert_fires_and_touches_nothing_more(acme, cluster, after_s, kept):
    before = {name: template(cluster, name) for name in ("web", "worker")}
    hand, run = roll(acme, rolling_playbook("cluster", ["web", "worker"], WATCH))
    hand.run_for(after_s)

    raise_alert(acme, hand)
    hand.run_for(400)

    assert reread(run).state == "failed", reread(run).reason
    assert [name for name in before if template(cluster, name) == before[name]] == kept


@pytest.mark.parametrize(
    ("name", "near"),
    [
        pytest.param("NotificationDaed", "NotificationDead", id="of the platform, misspelt"),
        pytest.param("Slow Check-outs", "SlowCheckout", id="of the tenant, misspelt"),
    ],
)
def test_an_alert_that_nothing_raises_is_refused_with_those_near_it(acme, name, near):
    make_rule(make_group(acme), name="SlowCheckout")
    make_rule(make_group(acme, "other"), name="Paused", state="paused")
    check_watch(acme.pk, Watch(("SlowCheckout", "CanaryMissing")))

    with pytest.raises(UnknownAlert, match=f"no rule raises '{name}'; there are .*{near}"):
        check_watch(acme.pk, Watch((name,)))
    with pytest.raises(UnknownAlert):
        check_watch(acme.pk, Watch(("Paused",)))


def test_the_platforms_alerts_are_a_series_while_they_fire(acme):
    hand = Watched.at()
    raise_alert(acme, hand)

    def seen():
        selfalerts.publish(now=hand.clock.now())
        now_ms = hand.clock.now_ms()
        text = 'ALERTS{alertname="NotificationDead"}'
        found = TenantQueries(acme.pk, now_ms).instant(text, now_ms, QueryTerms())
        return [
            (dict(labels)["receiver"], value)
            for labels, value in zip(found.labels, found.values, strict=True)
        ]

    assert seen() == [("pager", 1.0)]
    hand.clock.advance(seconds=10)
    selfalerts.end(acme.pk, selfalerts.DEAD_LETTER, {"receiver": "pager"}, now=hand.clock.now())
    assert seen() == []
