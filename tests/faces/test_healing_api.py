"""Playbooks and runs by REST and by link: who may do what, and what a run tells."""

from __future__ import annotations

import re

import pytest

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.tenancy.models import Membership, Tenant
from alertsite.tenancy.services import create_api_key
from healing.models import HealingRun
from rules.models import AlertInstance
from tests.faces.conftest import client_of
from tests.factories.healing import FAKE, Hand, fire, make_account
from tests.factories.playbooks import RESTART, playbook_of
from tests.factories.rows import make_user

MANUAL = playbook_of('{action: restart_service, account: prod, with: {service: "{{ labels.service }}"}}')
ABOUT = {"labels": {"service": "checkout"}}


@pytest.fixture(autouse=True)
def fake_provider(settings):
    settings.CLOUD_ADAPTERS = [FAKE]


def member(acme: Tenant, name: str):
    user = make_user(name)
    Membership.objects.create(tenant=acme, user=user, role="member")
    return client_of(user)


@pytest.fixture
def carol(acme):
    return member(acme, "carol")


@pytest.fixture
def dave(acme):
    return member(acme, "dave")


def made(client, text=MANUAL):
    answer = client.post("/api/playbooks/", {"text": text}, format="json")
    assert answer.status_code == 201, answer.json()
    return f"/api/playbooks/{answer.json()['id']}", answer.json()


def machine(acme):
    from rest_framework.test import APIClient

    client = APIClient()
    secret = create_api_key("robot", tenant=acme, scopes=("read", "write")).secret
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def now_hand():
    return Hand.at(to_datetime(SystemClock().now_ms()))


def test_a_text_with_faults_is_refused_with_their_places(alice, bob):
    wrong = MANUAL.replace("restart_service", "melt")

    refused = alice.post("/api/playbooks/", {"text": wrong}, format="json")
    checked = bob.post("/api/playbooks/validate/", {"text": wrong}, format="json")

    assert (refused.status_code, refused.json()["title"]) == (400, "playbook.invalid")
    assert checked.json()["problems"][0]["line"] == 4
    assert bob.post("/api/playbooks/validate/", {"text": MANUAL}, format="json").json()["valid"]


def test_a_playbook_is_versioned_armed_and_disarmed_by_a_change(alice, acme):
    path, first = made(alice)
    assert (first["version"], first["armed_by"], first["name"]) == (1, "", "tried")

    assert alice.post(f"{path}/arm/").json()["armed_by"] == "alice"
    changed = alice.patch(f"{path}/", {"text": MANUAL.replace("prod", "test")}, format="json").json()

    assert (changed["version"], changed["armed_by"]) == (2, "")
    assert [one["number"] for one in alice.get(f"{path}/versions/").json()] == [2, 1]
    assert machine(acme).post(f"{path}/arm/").status_code == 403
    assert alice.delete(f"{path}/").status_code == 204


def test_a_dry_run_against_a_past_alert_tells_what_it_would_do(alice, acme):
    here = make_account(acme)
    alert = fire(acme)
    path, _ = made(alice, RESTART)

    asked = alice.post(f"{path}/dry-run/", {"alert": str(alert.pk)}, format="json")
    now_hand().run_for(2)
    told = alice.get(f"/api/healing-runs/{asked.json()['id']}/").json()

    assert asked.status_code == 202
    assert (told["state"], told["dry"]) == ("rehearsed", True)
    assert told["story"]["steps"][0]["change"] == "restart_service checkout"
    assert told["story"]["steps"][0]["calls"][0]["request"] == "look restart_service"
    assert here.effects == []


def test_four_eyes_and_the_whole_story(alice, bob, carol, dave, acme):
    here = make_account(acme)
    path, _ = made(alice, MANUAL.replace("steps:", "approval: {medium: four-eyes}\nsteps:"))
    assert carol.post(f"{path}/start/", ABOUT, format="json").status_code == 409
    alice.post(f"{path}/arm/")
    run = carol.post(f"{path}/start/", ABOUT, format="json").json()
    at = f"/api/healing-runs/{run['id']}"
    hand = now_hand()
    hand.run_for(2)
    asked = dave.get(f"{at}/").json()
    shown = {"plan_hash": asked["plan_hash"]}

    def approve(client, **values):
        return client.post(f"{at}/approve/", shown | values, format="json").status_code

    assert (asked["state"], asked["needed"], here.effects) == ("awaiting", 2, [])
    assert approve(alice) == 409  # wrote it
    assert approve(carol) == 409  # started it
    assert approve(bob) == 403  # only reads
    assert approve(machine(acme)) == 409
    assert approve(dave, plan_hash="0" * 64) == 409
    assert [approve(dave), approve(dave)] == [200, 409]
    hand.run_for(6)
    assert here.effects == []
    assert approve(member(acme, "erin")) == 200
    hand.run_for(6)

    told = dave.get(f"{at}/").json()
    assert told["state"] == "succeeded"
    assert [one["person"] for one in told["story"]["approvals"]] == ["dave", "erin"]
    assert [call["phase"] for call in told["story"]["steps"][0]["calls"]] == ["look", "act"]
    assert len(here.effects) == 1


def test_a_run_is_approved_by_its_link_only_by_somebody_who_signs_in(alice, client, dave, acme):
    here = make_account(acme)
    path, _ = made(alice)
    alice.post(f"{path}/arm/")
    alice.post(f"{path}/start/", ABOUT, format="json")
    hand = now_hand()
    hand.run_for(2)
    asking = AlertInstance.objects.for_tenant(acme).get(labels__alertname="HealingApproval")
    link = re.search(r"/heal/[^/]+/", asking.annotations["summary"])[0]
    form = {"answer": "approve", "username": "dave", "password": "correct horse battery"}

    shown = client.get(link)
    assert (shown.status_code, b"restart_service" in shown.content) == (200, True)
    assert client.post(link, {"answer": "approve"}).status_code == 403
    assert client.post(link, form | {"password": "x"}).status_code == 403
    assert client.post(link, form | {"username": "alice"}).status_code == 403
    make_user("mallory")
    assert client.post(link, form | {"username": "mallory"}).status_code == 403
    hand.run_for(6)
    assert here.effects == []
    assert client.post(link, form).status_code == 200
    hand.run_for(6)

    assert len(here.effects) == 1
    assert b"Nothing is asked any more" in client.get(link).content


def test_a_run_is_rejected_and_another_cancelled(alice, dave, acme):
    make_account(acme)
    path, _ = made(alice)
    alice.post(f"{path}/arm/")
    runs = [
        alice.post(f"{path}/start/", {"labels": {"service": name}}, format="json").json() for name in "ab"
    ]
    hand = now_hand()
    hand.run_for(2)
    first = dave.get(f"/api/healing-runs/{runs[0]['id']}/").json()

    dave.post(f"/api/healing-runs/{runs[0]['id']}/reject/", {"plan_hash": first["plan_hash"]}, format="json")
    dave.post(f"/api/healing-runs/{runs[1]['id']}/cancel/")
    hand.run_for(6)

    states = [alice.get(f"/api/healing-runs/{run['id']}/").json()["state"] for run in runs]
    assert states == ["rejected", "cancelled"]
    assert dave.post(f"/api/healing-runs/{runs[1]['id']}/cancel/").status_code == 409
    assert (
        dave.post(f"/api/healing-runs/{runs[1]['id']}/settle/", {"happened": True}, format="json").status_code
        == 409
    )
    assert len(alice.get("/api/healing-runs/?state=rejected").json()["results"]) == 1


def test_a_policy_is_changed_by_an_owner(alice, bob, carol, acme):
    assert bob.get("/api/healing-policy/").json()["high"] == "four-eyes"
    assert alice.patch("/api/healing-policy/", {"low": "one"}, format="json").json()["low"] == "one"
    assert (
        alice.patch("/api/healing-policy/", {"per_class_hour": {"moon": 1}}, format="json").status_code == 400
    )
    assert machine(acme).patch("/api/healing-policy/", {"low": "none"}, format="json").status_code == 403
    for other in (bob, carol):
        assert other.patch("/api/healing-policy/", {"low": "none"}, format="json").status_code == 403


def test_who_arms_what_a_machine_wrote_does_not_approve_it(alice, dave, acme):
    make_account(acme)
    path, _ = made(machine(acme))
    alice.post(f"{path}/arm/")
    run = dave.post(f"{path}/start/", ABOUT, format="json").json()
    now_hand().run_for(2)
    at = f"/api/healing-runs/{run['id']}"
    shown = {"plan_hash": dave.get(f"{at}/").json()["plan_hash"]}

    assert alice.post(f"{at}/approve/", shown, format="json").status_code == 409
    assert member(acme, "erin").post(f"{at}/approve/", shown, format="json").status_code == 200


def test_nobody_sees_another_tenants_runs(alice, charlie, acme):
    path, _ = made(alice)
    run = alice.post(f"{path}/dry-run/", ABOUT, format="json").json()

    assert charlie.get(f"/api/healing-runs/{run['id']}/").status_code == 404
    assert charlie.get(f"{path}/").status_code == 404
    assert HealingRun.objects.for_tenant(acme).count() == 1


def test_the_admin_checks_rehearses_and_shows_the_story(client, acme):
    client.force_login(make_user("operator", is_superuser=True, is_staff=True))
    make_account(acme)
    form = {"tenant": str(acme.pk), "text": MANUAL.replace("tried", "from the form"), "enabled": "on"}

    wrong = client.post("/admin/healing/playbook/add/", form | {"text": "steps: ["})
    right = client.post("/admin/healing/playbook/add/", form)
    assert (wrong.status_code, b"not YAML" in wrong.content, right.status_code) == (200, True, 302)
    from healing.models import Playbook

    playbook = Playbook.objects.for_tenant(acme).get()
    chosen = {"action": "rehearse", "_selected_action": [str(playbook.pk)]}
    client.post("/admin/healing/playbook/", chosen)
    now_hand().run_for(2)
    run = HealingRun.objects.for_tenant(acme).get()
    page = client.get(f"/admin/healing/healingrun/{run.pk}/change/")

    assert run.state == "failed"  # no label gives the service
    assert b"labels.service is not there" in page.content
