"""Statements of our own read what a query set reads, and outlive a column that is added."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

from alertsite.tenancy.bulk import Writes
from alertsite.tenancy.selecting import Selection, rows_of
from rules.models import NotificationSettings, OutboxMessage, Receiver
from rules.services.routing import settings_of
from tests.factories.rows import make_receiver

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OFTEN = 12
"""More than a connection needs to prepare a statement, and PostgreSQL to keep its plan."""


def message(receiver: Receiver, name: str) -> OutboxMessage:
    return OutboxMessage(
        tenant_id=receiver.tenant_id,
        receiver=receiver,
        group_key=name,
        generation=1,
        reason="new_alerts",
        idempotency_key=name,
        created_at=NOW,
        next_attempt_at=NOW,
        leased_until=NOW,
    )


def test_an_instance_is_what_a_query_set_gives(tenant):
    receiver = make_receiver(tenant)
    everything = Selection(Receiver)
    statement = f"SELECT 1, {everything.of('held')} FROM rules_receiver held WHERE id = %s"
    ((_, *row),) = rows_of(statement, [receiver.pk])
    read = everything.instance([None, *row], 1)
    stored = Receiver.objects.for_tenant(tenant).get(pk=receiver.pk)
    assert {f.attname: getattr(read, f.attname) for f in Receiver._meta.concrete_fields} == {
        f.attname: getattr(stored, f.attname) for f in Receiver._meta.concrete_fields
    }


def test_what_was_left_out_is_read_when_it_is_asked_for(tenant):
    receiver = make_receiver(tenant, name="pager")
    few = Selection(Receiver, "id", "tenant")
    (row,) = rows_of(f"SELECT {few.of('held')} FROM rules_receiver held WHERE id = %s", [receiver.pk])
    assert few.width == 2
    assert few.instance(row).name == "pager"


def test_prepared_statements_outlive_a_column_that_is_added(tenant):
    for _ in range(OFTEN):
        settings_of(tenant.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ["%revision%"])
        assert cursor.fetchone()[0] >= 1
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE rules_notificationsettings ADD COLUMN of_a_later_release integer")
    assert settings_of(tenant.pk).pk == NotificationSettings.objects.for_tenant(tenant).get().pk


def test_several_tables_are_written_by_one_statement(tenant, django_assert_num_queries):
    receiver = make_receiver(tenant)
    kept, changed, gone = (message(receiver, name) for name in ("kept", "changed", "gone"))
    before = Writes()
    before.insert([changed, gone])
    before.store()
    changed.generation, changed.reason = 2, "not asked for"
    receiver.max_per_minute = 7
    writes = Writes()
    writes.insert([kept])
    writes.update([changed], ["generation"])
    writes.update([receiver], ["max_per_minute"])
    writes.delete([gone])
    with django_assert_num_queries(1):
        writes.store()
    rows = OutboxMessage.objects.for_tenant(tenant).order_by("group_key")
    assert list(rows.values_list("group_key", "generation", "reason")) == [
        ("changed", 2, "new_alerts"),
        ("kept", 1, "new_alerts"),
    ]
    assert Receiver.objects.for_tenant(tenant).get().max_per_minute == 7


def test_nothing_gathered_asks_nothing(tenant, django_assert_num_queries):
    writes = Writes()
    writes.insert([])
    writes.update([], ["status"])
    writes.delete([])
    with django_assert_num_queries(0):
        writes.store()


def test_row_security_reads_its_settings_once_a_statement(tenant):
    policies = rows_of("SELECT tablename, qual FROM pg_policies WHERE policyname = 'tenant_isolation'", [])
    assert {"rules_alertinstance", "tenancy_tenant"} <= {table for table, _ in policies}
    assert [table for table, condition in policies if condition.count("( SELECT") < 2] == []
