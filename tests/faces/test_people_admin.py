"""The admin's pages of people, policies, heartbeats and hooks."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from rules.models import (
    EscalationPolicy,
    Heartbeat,
    InboundHook,
    OnCallOverride,
    OnCallSchedule,
    Person,
    Team,
)
from rules.services import heartbeats
from tests.factories.people import make_person, make_policy, make_schedule
from tests.factories.rows import AUTHOR, make_receiver, make_tenant, make_user


@pytest.fixture
def pages(client, acme):
    client.force_login(make_user("operator", is_superuser=True, is_staff=True))
    return client


@pytest.fixture
def ann(acme) -> Person:
    return make_person(acme, "ann")


def address(model, page: str, *args) -> str:
    return reverse(f"admin:rules_{model.__name__.lower()}_{page}", args=args)


def bodies(acme, ann) -> dict:
    """What fills each form."""
    schedule = make_schedule(acme, ann)
    layer = {"members": [str(ann.pk)], "begin": "2026-03-02T09:00:00"}
    moments = {
        "starts_at_0": "2026-03-02",
        "starts_at_1": "00:00:00",
        "ends_at_0": "2026-03-03",
        "ends_at_1": "00:00:00",
    }
    return {
        Person: {"name": "eve", "language": "fr", "receivers": [str(make_receiver(acme).pk)]},
        Team: {"name": "ops", "members": [str(ann.pk)]},
        EscalationPolicy: {
            "name": "night",
            "steps": json.dumps([{"tell": [{"person": str(ann.pk)}]}]),
            "repeat_count": "1",
            "repeat_delay_s": "60",
        },
        OnCallSchedule: {
            "name": "days",
            "timezone": "Europe/Paris",
            "layers": json.dumps([layer]),
            "ical": "",
        },
        OnCallOverride: {"schedule": str(schedule.pk), "person": str(ann.pk), **moments},
        Heartbeat: {
            "name": "backup",
            "period_s": "60",
            "grace_s": "60",
            "labels": "",
            "annotations": "{}",
            "enabled": "on",
        },
        InboundHook: {"name": "grafana", "mapping": json.dumps({"alertname": "@.name"}), "enabled": "on"},
    }


def test_each_is_made_changed_and_removed_on_its_pages(pages, acme, ann):
    for model, body in bodies(acme, ann).items():
        before = set(model.objects.for_tenant(acme).values_list("pk", flat=True))
        assert pages.get(address(model, "add")).status_code == 200
        made = pages.post(address(model, "add"), body | {"tenant": str(acme.pk)})
        assert made.status_code == 302, (model, made.context["errors"])
        (pk,) = set(model.objects.for_tenant(acme).values_list("pk", flat=True)) - before
        page = address(model, "change", pk)
        assert pages.get(page).status_code == 200
        changed = pages.post(page, body)
        assert changed.status_code == 302, (model, changed.context["errors"])
        assert pages.post(address(model, "delete", pk), {"post": "yes"}).status_code == 302
        assert not model.objects.for_tenant(acme).filter(pk=pk).exists()


def test_what_the_service_refuses_stands_at_its_field(pages, acme, ann):
    stranger = make_person(make_tenant("globex"), "zoe")
    filled = bodies(acme, ann)
    steps = json.dumps([{"tell": [{"person": str(stranger.pk)}]}])
    faults = {
        EscalationPolicy: ({"steps": steps}, "steps", "has no person"),
        Team: ({"members": [str(stranger.pk)]}, "members", "does not have"),
        OnCallSchedule: ({"timezone": "Mars"}, "timezone", "unknown time zone"),
        Heartbeat: ({"labels": '{"alertname": "x"}'}, "labels", "set by the platform"),
        InboundHook: ({"mapping": '{"alertname": "$.["}'}, "mapping", "expected .name"),
    }
    for model, (values, field, reason) in faults.items():
        answer = pages.post(address(model, "add"), filled[model] | values | {"tenant": str(acme.pk)})
        assert answer.status_code == 200, model
        assert reason in str(answer.context["adminform"].form.errors[field])


def test_whoever_is_named_elsewhere_is_not_removed_and_the_page_says_where(pages, acme, ann):
    make_policy(acme, ("0s", ann), name="night")
    page = pages.get(address(Person, "delete", ann.pk)).content.decode()
    assert "escalation policy &#x27;night&#x27;" in page
    pages.post(address(Person, "delete", ann.pk), {"post": "yes"})
    assert Person.objects.for_tenant(acme).filter(pk=ann.pk).exists()


def test_a_token_is_shown_when_it_is_made_or_replaced(pages, acme):
    body = {"tenant": str(acme.pk), "name": "hook", "mapping": '{"alertname": "A"}', "enabled": "on"}
    made = pages.post(address(InboundHook, "add"), body, follow=True).content.decode()
    assert "/api/hooks/" in made
    row = heartbeats.create(Heartbeat(tenant=acme, name="backup"), AUTHOR).heartbeat
    values = {"action": "rotate", "_selected_action": [str(row.pk)]}
    page = pages.post(address(Heartbeat, "changelist"), values, follow=True).content.decode()
    assert "The address of backup is /api/heartbeats/" in page


def test_the_page_of_a_schedule_shows_who_is_on_call_and_its_calendar(pages, acme, ann):
    schedule = make_schedule(acme, ann)
    page = pages.get(address(OnCallSchedule, "change", schedule.pk)).content.decode()
    assert "/ical/" in page
    pages.post(
        address(OnCallSchedule, "changelist"),
        {"action": "replace_calendar", "_selected_action": [str(schedule.pk)]},
    )
    schedule.refresh_from_db()
    assert schedule.calendar_generation == 2
