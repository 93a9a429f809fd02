"""What accounts hold: synced by what changed, due by a column, left alone after failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest

from alertsite.core.clock import from_datetime
from alertsite.tenancy.scope import tenant_scope
from cloud.adapters.errors import CredentialsRefused, Throttled
from cloud.adapters.protocol import Resource
from cloud.models import CloudAccount, CloudResource
from cloud.services import inventory
from tests.factories.rows import NOON, make_tenant


@pytest.fixture
def acme(db):
    tenant = make_tenant("acme")
    with tenant_scope(tenant.pk):
        yield tenant


@pytest.fixture
def account(acme):
    return CloudAccount.objects.create(
        tenant=acme, name="prod", provider="http", settings={"prices": {"small": 0.5}}, next_sync_at=NOON
    )


@pytest.fixture
def estate(monkeypatch):
    """What the account holds, as the tests say; an error in it is raised when its page is asked for."""
    held: list[list[Resource] | Exception] = []

    def pages(_: object) -> Iterator[list[Resource]]:
        for page in held:
            if isinstance(page, Exception):
                raise page
            yield page

    @contextmanager
    def opened(_: CloudAccount) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            adapter=SimpleNamespace(inventory=pages), session=SimpleNamespace(exchanges=list)
        )

    monkeypatch.setattr(inventory, "opened", opened)
    return held


class At:
    def __init__(self, moment):
        self.moment = moment

    def now_ms(self) -> int:
        return from_datetime(self.moment)


def machine(name: str, **values) -> Resource:
    row = {"kind": "instance", "id": f"i-{name}", "name": name, "place": "eu", "state": "running"}
    return Resource(**row | {"healthy": True, "labels": {"team": "a"}, "size": "small"} | values)


def sync(account, moment=NOON):
    found = inventory.sync_account(account.tenant_id, account.pk, At(moment))
    account.refresh_from_db()
    return found


def test_only_what_changed_is_written(account, estate, django_assert_max_num_queries):
    estate[:] = [[machine("a"), machine("b")], [machine("c")]]
    assert (sync(account).seen, CloudResource.objects.for_tenant(account.tenant_id).count()) == (3, 3)

    later = NOON + timedelta(minutes=5)
    estate[:] = [[machine("a"), machine("b", state="stopped", healthy=None)], [machine("d")]]
    found = sync(account, later)

    assert (found.seen, found.written, found.vanished, found.fault) == (3, 2, 1, "")
    rows = {row.name: row for row in CloudResource.objects.for_tenant(account.tenant_id)}
    assert (rows["a"].changed_at, rows["b"].changed_at, rows["b"].first_seen_at) == (NOON, later, NOON)
    assert (rows["b"].state, rows["c"].vanished_at, rows["d"].vanished_at) == ("stopped", later, None)
    assert (rows["a"].labels, rows["a"].cost_per_hour) == ({"team": "a"}, 0.5)
    with django_assert_max_num_queries(8):
        assert sync(account).written == 0


def test_what_is_back_has_not_vanished(account, estate):
    estate[:] = [[machine("a")]]
    sync(account)
    estate[:] = [[]]
    assert sync(account).vanished == 1
    estate[:] = [[machine("a")]]
    assert sync(account).written == 1
    assert CloudResource.objects.for_tenant(account.tenant_id).get().vanished_at is None


def test_same_name_in_two_places_is_two_things(account, estate):
    estate[:] = [[machine("a"), machine("a", place="us")]]
    sync(account)
    estate[:] = [[machine("a")]]
    assert sync(account).vanished == 1
    rows = CloudResource.objects.for_tenant(account.tenant_id).filter(vanished_at=None)
    assert rows.get().place == "eu"


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        pytest.param(CredentialsRefused("expired"), [5, 10, 20, 40, 60, 60], id="doubles up to an hour"),
        pytest.param(Throttled("slow down", 900.0), [15, 15, 20], id="as long as the provider asks"),
        pytest.param(Throttled("slow down", 1e9), [60], id="an hour at most"),
    ],
)
def test_failure_removes_nothing_and_is_tried_later_and_later(account, estate, fault, waits):
    estate[:] = [[machine("a")]]
    sync(account)
    estate[:] = [[machine("b")], fault]
    for wait in waits:
        assert sync(account).fault == str(fault)
        assert account.next_sync_at == NOON + timedelta(minutes=wait)
    assert (account.failures, account.fault) == (len(waits), str(fault))
    assert not CloudResource.objects.for_tenant(account.tenant_id).exclude(vanished_at=None).exists()

    estate[:] = [[machine("a")]]
    sync(account)
    assert (account.failures, account.fault) == (0, "")


def test_due_accounts_are_claimed_once(account, acme):
    CloudAccount.objects.create(tenant=acme, name="later", next_sync_at=NOON + timedelta(seconds=1))
    CloudAccount.objects.create(tenant=acme, name="off", next_sync_at=NOON, enabled=False)

    assert inventory.claim_due(now=NOON) == [(account.pk, acme.pk)]
    assert inventory.claim_due(now=NOON) == []
    assert (account.pk, acme.pk) in inventory.claim_due(now=NOON + inventory.LEASE)


def test_disabled_account_is_not_synced(account, estate):
    account.enabled = False
    account.save()
    estate[:] = [[machine("a")]]
    assert inventory.sync_account(account.tenant_id, account.pk, At(NOON)).fault
    assert not CloudResource.objects.for_tenant(account.tenant_id).exists()
