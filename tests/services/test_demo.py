"""The demo tenant and its pack."""

from __future__ import annotations

import pytest

from alertsite.tenancy.models import Membership
from alertsite.tenancy.scope import platform_scope
from rules.language.rulefile import parse_rule_file
from rules.models import Receiver, Rule
from rules.services.demo import HOST_PACK, load_demo
from tests.factories.rows import NOON, make_user


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
