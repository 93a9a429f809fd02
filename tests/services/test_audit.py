"""The audit chain: what was recorded stays, and what is missing is noticed."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from alertsite.audit.models import AuditEvent
from alertsite.audit.services import Deed, first_break, record
from alertsite.tenancy.scope import platform_scope
from tests.factories.rows import NOON, make_group, make_rule, make_tenant


@pytest.fixture
def tenant(db):
    with platform_scope():
        made = make_tenant()
        for number in range(4):
            record(made.pk, Deed("alice", "rule.saved", f"rule:{number}", {"n": number}), at=NOON)
        yield made


def test_whole_chain_has_no_break(tenant):
    assert first_break(tenant.pk) is None


@pytest.mark.parametrize("sequence", [1, 3])
def test_missing_event_is_noticed_where_it_stood(tenant, sequence):
    AuditEvent.objects.for_tenant(tenant).filter(sequence=sequence).delete()

    assert first_break(tenant.pk) == sequence


def test_postgresql_refuses_to_change_an_event(tenant):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.for_tenant(tenant).update(actor="mallory")

    assert first_break(tenant.pk) is None


def test_forged_event_is_noticed(tenant):
    last = AuditEvent.objects.for_tenant(tenant).order_by("-sequence")[0]
    AuditEvent.objects.create(
        tenant=tenant,
        sequence=5,
        at=NOON,
        actor="mallory",
        action="rule.saved",
        subject="rule:9",
        previous_digest=last.digest,
        digest="0" * 64,
    )

    assert first_break(tenant.pk) == 5


def test_saving_a_rule_is_recorded_with_its_author(tenant):
    rule = make_rule(make_group(tenant))

    event = AuditEvent.objects.for_tenant(tenant).get(subject=f"rule:{rule.pk}")
    assert (event.actor, event.action, event.detail["version"]) == ("alice", "rule.saved", 1)
    assert first_break(tenant.pk) is None
