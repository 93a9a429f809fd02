"""A backup is restored beside the live database, and what it holds is checked there."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from alertsite.audit.models import AuditEvent
from alertsite.audit.services import Deed, record
from alertsite.tenancy.scope import platform_scope
from rules.services import backing, drilling
from tests.factories.rows import NOON, make_group, make_rule, make_tenant
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.skipif(not backing.has_programs(), reason="no pg_dump and pg_restore here")


@pytest.fixture
def tenant(transactional_db, redis_url):
    with platform_scope():
        made = make_tenant()
        make_rule(make_group(made))
        yield made


def forge(tenant):
    """An event whose digest is not its own: nothing but a check of the chain notices."""
    last = AuditEvent.objects.for_tenant(tenant).order_by("-sequence")[0]
    AuditEvent.objects.create(
        tenant=tenant,
        sequence=last.sequence + 1,
        at=NOON,
        actor="mallory",
        action="rule.saved",
        subject="rule:9",
        previous_digest=last.digest,
        digest="0" * 64,
    )


def databases():
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'alertsite_drill_%'")
        return cursor.fetchall()


def test_backup_is_restored_and_checked(tenant, tmp_path):
    out = StringIO()

    call_command("backup", str(tmp_path / "one"), stdout=out)
    call_command("restore_drill", str(tmp_path / "one"), stdout=out)

    told = out.getvalue()
    assert f"ok     the audit chain of tenant {tenant.pk} is whole" in told
    assert "FAILED" not in told
    assert databases() == []


def test_drill_is_a_series_of_who_watches_the_platform(tenant, settings):
    clock, done = FakeClock(NOON), drilling.Drill((drilling.Finding("holds"),), 1.5)

    assert drilling.publish(done, clock) == 0
    settings.HOST_METRICS_TENANT = tenant.slug
    assert drilling.publish(done, clock) == 2


def test_forged_history_is_found_in_the_backup(tenant, tmp_path):
    forge(tenant)
    backing.back_up(tmp_path, now=NOON)

    done = drilling.drill(tmp_path, FakeClock(NOON))

    assert [finding.fault for finding in done.findings if finding.fault] == ["broken at event 3"]
    assert not done.passed


def test_rows_written_after_the_backup_are_not_in_it(tenant, tmp_path):
    manifest = backing.back_up(tmp_path, now=NOON)
    record(tenant.pk, Deed("alice", "rule.saved", "rule:2", {}), at=NOON)

    assert manifest.rows["audit_auditevent"] == AuditEvent.objects.for_tenant(tenant).count() - 1
    assert drilling.drill(tmp_path, FakeClock(NOON)).passed


def test_dump_that_was_touched_is_refused(tenant, tmp_path):
    backing.back_up(tmp_path, now=NOON)
    with (tmp_path / backing.DUMP).open("ab") as dump:
        dump.write(b"x")

    with pytest.raises(CommandError, match="has checksum"):
        call_command("restore_drill", str(tmp_path))


def test_backup_is_never_written_over(tenant, tmp_path):
    backing.back_up(tmp_path, now=NOON)

    with pytest.raises(CommandError, match="name another directory"):
        call_command("backup", str(tmp_path))
