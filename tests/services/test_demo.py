"""The demo tenant and its pack."""

from __future__ import annotations

import pytest

from alertsite.core.errors import InvalidParameter
from alertsite.tenancy.models import Membership
from alertsite.tenancy.scope import platform_scope
from cloud.models import CloudAccount
from healing.services.demo import furnish
from rules.language.rulefile import parse_rule_file
from rules.models import Receiver, Rule
from rules.services.demo import HOST_PACK, load_demo
from tests.factories.rows import NOON, make_user
from tests.fakes.clock import FakeClock


@pytest.fixture(autouse=True)
def _everywhere(db, redis_url):
    with platform_scope():
        yield


def test_demo_has_every_rule_of_the_pack_and_a_second_loading_changes_nothing():
    make_user("operator", is_superuser=True)
    wanted = [rule.name for group in parse_rule_file(HOST_PACK.read_text("utf-8")) for rule in group.rules]

    tenant = load_demo(now=NOON)
    load_demo(now=NOON)

    rules = Rule.objects.for_tenant(tenant).order_by("position")
    assert [rule.name for rule in rules] == wanted
    assert {rule.version for rule in rules} == {1}
    assert Receiver.objects.for_tenant(tenant).count() == 1
    assert Membership.objects.for_tenant(tenant).get().role == "owner"


def test_the_demo_of_healing_arms_nothing_and_a_second_time_changes_the_address_alone(settings):
    settings.CLOUD_ALLOW_PRIVATE = True
    tenant, clock = load_demo(now=NOON), FakeClock(NOON)
    account = {"name": "sandbox-docker", "provider": "docker", "credentials": {}}

    made = [
        furnish(tenant, account | {"settings": {"engine": f"tcp://127.0.0.1:{port}"}}, clock)
        for port in (2375, 2376)
    ]

    assert [one.armed for one in made] == [False, False]
    assert made[0].pk == made[1].pk
    (row,) = CloudAccount.objects.for_tenant(tenant)
    assert row.settings["engine"] == "tcp://127.0.0.1:2376"
    assert Rule.objects.for_tenant(tenant).filter(name="DemoServiceDown").count() == 1


def test_the_demo_of_healing_is_refused_where_private_addresses_are(settings):
    settings.CLOUD_ALLOW_PRIVATE = False
    account = {
        "name": "sandbox-docker",
        "provider": "docker",
        "settings": {"engine": "tcp://127.0.0.1:2375"},
        "credentials": {},
    }

    with pytest.raises(InvalidParameter, match="CLOUD_ALLOW_PRIVATE"):
        furnish(load_demo(now=NOON), account, FakeClock(NOON))
