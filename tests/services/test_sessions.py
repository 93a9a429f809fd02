"""What the database session is told of the scope: in time, after a rollback too, and not twice."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection, connections, transaction

from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.models import Receiver
from tests.factories.rows import make_receiver, make_tenant


@pytest.fixture
def tenants(db):
    with platform_scope():
        made = [make_tenant("acme"), make_tenant("globex")]
        for one in made:
            make_receiver(one, name=one.slug)
        return made


def seen():
    return sorted(Receiver.across_tenants.values_list("name", flat=True))


def test_each_scope_sees_its_own_and_no_scope_sees_nothing(tenants):
    acme, globex = tenants
    with platform_scope():
        with tenant_scope(acme.pk):
            assert seen() == ["acme"]
            with tenant_scope(globex.pk):
                assert seen() == ["globex"]
            assert seen() == ["acme"]
        assert seen() == ["acme", "globex"]
    assert seen() == []


@pytest.mark.parametrize("scope", [platform_scope, None], ids=["to another scope", "to none"])
def test_a_rollback_takes_nothing_of_the_scope_along(tenants, scope):
    with tenant_scope(tenants[0].pk):
        seen()
    try:
        with transaction.atomic():
            with platform_scope():
                assert len(seen()) == 2
            raise ValueError
    except ValueError:
        pass
    if scope is None:
        assert seen() == []
    else:
        with scope():
            assert len(seen()) == 2


def test_after_a_failed_statement_the_scope_holds(tenants):
    with tenant_scope(tenants[0].pk):
        with pytest.raises(psycopg.Error), transaction.atomic(), connection.cursor() as cursor:
            cursor.cursor.execute("SELECT 1 / 0")
        assert seen() == ["acme"]


def test_the_same_scope_is_told_once(tenants, monkeypatch):
    told = []
    original = connection.tell
    monkeypatch.setattr(
        connection, "tell", lambda: (told.append(connection.told), original(), told.append(connection.told))
    )
    for _ in range(3):
        with tenant_scope(tenants[0].pk):
            seen()
    changes = [pair for pair in zip(told[::2], told[1::2], strict=True) if pair[0] != pair[1]]
    assert len(changes) == 1


@pytest.mark.django_db(transaction=True)
def test_a_connection_whose_server_has_ended_is_not_usable():
    connection.ensure_connection()
    assert connection.is_usable()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert not connection.is_usable()
    finally:
        other.close()
        connection.close()
