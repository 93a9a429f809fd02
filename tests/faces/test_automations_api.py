"""Automations and proposals by REST and in the admin: who may write, arm and decide."""

from __future__ import annotations

import pytest
from django.test import Client

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.tenancy.models import Membership
from alertsite.tenancy.services import create_api_key
from healing.models import Automation, Proposal
from healing.services import proposals
from tests.faces.conftest import client_of
from tests.factories.healing import FAKE, make_playbook
from tests.factories.rows import make_user
from tests.services.test_automations import SCALE, SCALING, TUNING


@pytest.fixture(autouse=True)
def operators(settings):
    settings.CLOUD_ADAPTERS, settings.HOST_METRICS_TENANT = [FAKE], "acme"


@pytest.fixture
def carol(acme):
    user = make_user("carol")
    Membership.objects.create(tenant=acme, user=user, role="member")
    return client_of(user)


def made(client, kind="scale", terms=SCALING):
    body = {"name": kind, "kind": kind, "terms": terms}
    return client.post("/api/automations/", body, format="json")


def proposed(acme, *, shadow=False):
    now = to_datetime(SystemClock().now_ms())
    change = proposals.Change("workers", "4", "6", "late", {"ticks": 150})
    return proposals.propose(Automation.objects.for_tenant(acme).get(), change, shadow=shadow, now=now)


def test_a_scaling_is_written_armed_changed_and_deleted(carol, acme):
    make_playbook(acme, SCALE)
    written = made(carol)
    path = f"/api/automations/{written.json()['id']}"

    assert (written.status_code, written.json()["armed_by"]) == (201, "")
    assert carol.post(f"{path}/arm/").json()["armed_by"] == "carol"
    assert carol.post(f"{path}/disarm/").json()["armed_by"] == ""
    changed = carol.patch(f"{path}/", {"terms": SCALING | {"minimum": 99}}, format="json")
    assert (changed.status_code, changed.json()["title"]) == (400, "invalid_parameter")
    assert carol.delete(f"{path}/").status_code == 204


def test_what_concerns_the_platform_is_an_owners(carol, alice, acme):
    assert made(carol, "tune", TUNING).status_code == 403
    written = made(alice, "tune", TUNING)
    path = f"/api/automations/{written.json()['id']}"
    assert carol.post(f"{path}/arm/").status_code == 403
    row = proposed(acme)

    assert carol.post(f"/api/proposals/{row.pk}/approve/").status_code == 403
    told = alice.post(f"/api/proposals/{row.pk}/approve/").json()

    assert (told["state"], told["decided_by"], told["measured"]) == ("approved", "alice", {"ticks": 150})
    again = alice.post(f"/api/proposals/{row.pk}/refuse/")
    assert (again.status_code, again.json()["title"]) == (409, "conflict")


def test_nobody_else_makes_an_end_of_what_concerns_the_platform(carol, alice, acme):
    path = f"/api/automations/{made(alice, 'tune', TUNING).json()['id']}/"
    make_playbook(acme, SCALE)

    assert carol.patch(path, {"kind": "scale", "terms": SCALING}, format="json").status_code == 403
    assert carol.delete(path).status_code == 403
    assert alice.delete(path).status_code == 204


def test_a_machine_decides_nothing(alice, acme):
    made(alice, "tune", TUNING)
    row = proposed(acme)
    secret = create_api_key("robot", tenant=acme, scopes=("read", "write")).secret
    alice.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    assert alice.post(f"/api/proposals/{row.pk}/approve/").status_code == 403
    assert alice.post(f"/api/automations/{row.automation_id}/arm/").status_code == 403
    assert alice.get("/api/proposals/?state=proposed").json()["results"][0]["reason"] == "late"


def test_operators_save_and_decide_in_the_admin(acme):
    client = Client()
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    body = {"tenant": str(acme.pk), "name": "sizes", "kind": "tune", "enabled": "on"}

    refused = client.post(
        "/admin/healing/automation/add/", body | {"terms": '{"ranges": {"colour": [1, 2]}}'}
    )
    saved = client.post("/admin/healing/automation/add/", body | {"terms": '{"ranges": {"workers": [1, 8]}}'})

    assert b"ranges" in refused.content
    assert saved.status_code == 302
    row = proposed(acme)
    client.post("/admin/healing/proposal/", {"action": "approve", "_selected_action": [str(row.pk)]})
    assert Proposal.objects.for_tenant(acme).get().decided_by == "root"
