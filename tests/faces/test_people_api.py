"""People, teams, schedules and policies by REST; calendars out and in."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from rules.models import OnCallSchedule, Person
from tests.factories.people import make_person, make_policy, make_schedule
from tests.factories.rows import make_receiver, make_tenant

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART:20260302T090000Z
DTEND:20260302T170000Z
RRULE:FREQ=DAILY
SUMMARY:{name}
END:VEVENT
END:VCALENDAR
"""
LAYER = {"begin": "2026-03-02T09:00:00", "rotation": "1w"}


@pytest.fixture
def ann(acme) -> Person:
    return make_person(acme, "ann")


@pytest.fixture
def bob_(acme) -> Person:
    return make_person(acme, "bob")


def create(client, resource: str, **body):
    answer = client.post(f"/api/{resource}/", body, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_each_resource_is_made_read_changed_and_removed(alice, acme, ann):
    desk = make_receiver(acme, name="desk")
    step = {"after": "5m", "tell": [{"person": str(ann.pk)}]}
    schedule = make_schedule(acme, ann)
    shift = {"starts_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-03T00:00:00Z"}
    bodies = {
        "people": ({"name": "eve", "receivers": [str(desk.pk)]}, {"language": "fr"}),
        "teams": ({"name": "ops", "members": [str(ann.pk)]}, {"members": []}),
        "schedules": (
            {"name": "s", "layers": [LAYER | {"members": [str(ann.pk)]}]},
            {"timezone": "Asia/Tokyo"},
        ),
        "overrides": (
            shift | {"schedule": str(schedule.pk), "person": str(ann.pk)},
            {"ends_at": "2026-03-04T00:00:00Z"},
        ),
        "escalation-policies": ({"name": "p", "steps": [step]}, {"repeat_delay": "10m"}),
    }
    for resource, (body, change) in bodies.items():
        made = create(alice, resource, **body)
        path = f"/api/{resource}/{made['id']}/"
        changed = alice.patch(path, change, format="json")
        assert changed.status_code == 200, changed.json()
        assert changed.json() == alice.get(path).json()
        (name, value), *_ = change.items()
        assert changed.json()[name] == value
        assert alice.delete(path).status_code == 204
        assert alice.get(path).status_code == 404


@pytest.mark.parametrize(
    ("resource", "body", "field"),
    [
        pytest.param("escalation-policies", {"steps": []}, "steps", id="no steps"),
        pytest.param(
            "escalation-policies", {"steps": [{"tell": []}]}, "steps", id="a step that tells nobody"
        ),
        pytest.param(
            "escalation-policies",
            {"steps": [{"tell": [{"person": str(uuid4())}]}]},
            "steps",
            id="a person of nobody",
        ),
        pytest.param(
            "escalation-policies",
            {"steps": [{"tell": [{"person": str(uuid4()), "team": str(uuid4())}]}]},
            "steps",
            id="two in one target",
        ),
        pytest.param("schedules", {"layers": [LAYER | {"members": []}]}, "layers", id="a layer of nobody"),
        pytest.param(
            "schedules", {"layers": [LAYER | {"members": [str(uuid4())]}]}, "layers", id="a stranger"
        ),
        pytest.param("schedules", {"timezone": "Mars/Olympus"}, "timezone", id="no such zone"),
        pytest.param("schedules", {"ical": "BEGIN:VCALENDAR"}, "ical", id="half a calendar"),
        pytest.param(
            "schedules", {"ical": CALENDAR.format(name="zoe")}, "ical", id="a calendar with a stranger"
        ),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(alice, resource, body, field):
    answer = alice.post(f"/api/{resource}/", {"name": "n"} | body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_the_place_of_a_fault_is_named(alice, ann):
    layer = LAYER | {"members": [str(ann.pk)], "hours": [{"from": "25:00", "to": "06:00"}]}
    answer = alice.post("/api/schedules/", {"name": "s", "layers": [layer]}, format="json")
    assert "0.hours.0.from" in answer.json()["errors"]["layers"]


def test_rows_of_another_tenant_cannot_be_named(alice, acme, ann):
    other = make_tenant("globex")
    stranger, receiver = make_person(other, "zoe"), make_receiver(other)
    schedule = make_schedule(acme, ann)
    bodies = [
        ("people", {"name": "x", "receivers": [str(receiver.pk)]}),
        ("teams", {"name": "x", "members": [str(stranger.pk)]}),
        ("escalation-policies", {"name": "x", "steps": [{"tell": [{"person": str(stranger.pk)}]}]}),
        ("schedules", {"name": "x", "layers": [LAYER | {"members": [str(stranger.pk)]}]}),
        (
            "overrides",
            {
                "schedule": str(schedule.pk),
                "person": str(stranger.pk),
                "starts_at": "2026-03-02T00:00:00Z",
                "ends_at": "2026-03-03T00:00:00Z",
            },
        ),
    ]
    for resource, body in bodies:
        assert alice.post(f"/api/{resource}/", body, format="json").status_code == 400, resource


def test_whoever_is_named_elsewhere_is_not_removed(alice, acme, ann, bob_):
    schedule = make_schedule(acme, ann, name="primary")
    make_policy(acme, ("0s", schedule), name="night")
    refused = alice.delete(f"/api/people/{ann.pk}/")
    assert (refused.status_code, refused.json()["title"]) == (409, "people.in_use")
    assert "layer 1 of schedule 'primary'" in refused.json()["detail"]
    assert "escalation policy 'night'" in alice.delete(f"/api/schedules/{schedule.pk}/").json()["detail"]
    assert alice.delete(f"/api/people/{bob_.pk}/").status_code == 204


def test_who_is_on_call_and_the_shifts_of_a_span(alice, acme, ann, bob_):
    schedule = make_schedule(acme, ann, bob_)
    path = f"/api/schedules/{schedule.pk}"
    found = alice.get(f"{path}/on-call/?at=2026-03-02T12:00:00Z").json()
    assert [person["name"] for person in found["people"]] == ["bob"]
    create(
        alice,
        "overrides",
        schedule=str(schedule.pk),
        person=str(ann.pk),
        starts_at="2026-03-02T12:00:00Z",
        ends_at="2026-03-02T18:00:00Z",
    )
    span = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
    shifts = alice.get(f"{path}/shifts/", span).json()
    assert [(shift["people"][0]["name"], shift["starts_at"][11:16]) for shift in shifts] == [
        ("bob", "00:00"),
        ("ann", "12:00"),
        ("bob", "18:00"),
    ]
    assert alice.get(f"{path}/shifts/", span | {"to": "2027-03-03T00:00:00Z"}).status_code == 400
    for moment in ("zz", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-02T00:00:00-99:00", "\0"):
        assert alice.get(f"{path}/on-call/", {"at": moment}).status_code == 400
        assert alice.get(f"{path}/shifts/", {"from": moment}).status_code == 400
        assert alice.get(f"{path}/shifts/", {"to": moment}).status_code == 400


def test_a_schedule_follows_a_calendar_and_overrides_come_before_it(alice, acme, ann, bob_):
    made = create(alice, "schedules", name="s", ical=CALENDAR.format(name="ann"))
    create(
        alice,
        "overrides",
        schedule=made["id"],
        person=str(bob_.pk),
        starts_at="2030-01-01T10:00:00Z",
        ends_at="2030-01-01T11:00:00Z",
    )
    names = [
        [one["name"] for one in alice.get(f"/api/schedules/{made['id']}/on-call/?at={at}").json()["people"]]
        for at in ("2030-01-01T09:30:00Z", "2030-01-01T10:30:00Z", "2030-01-01T18:00:00Z")
    ]
    assert names == [["ann"], ["bob"], []]
    assert "the calendar of schedule 's'" in alice.delete(f"/api/people/{ann.pk}/").json()["detail"]
    renamed = alice.patch(f"/api/people/{ann.pk}/", {"name": "anna"}, format="json")
    assert list(renamed.json()["errors"]) == ["name"]


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [
        pytest.param("2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z", id="no length"),
        pytest.param("2026-03-02T00:00:00Z", "9999-12-31T23:59:59Z", id="no end"),
        pytest.param("0001-01-01T00:00:00Z", "2026-03-02T00:00:00Z", id="no begin"),
        pytest.param("", "2026-03-02T00:00:00Z", id="nothing"),
    ],
)
def test_overrides_of_no_span_are_refused(alice, acme, ann, starts_at, ends_at):
    body = {"schedule": str(make_schedule(acme, ann).pk), "person": str(ann.pk)}
    answer = alice.post("/api/overrides/", body | {"starts_at": starts_at, "ends_at": ends_at}, format="json")
    assert answer.status_code == 400


def test_a_calendar_is_uploaded_as_text(alice, acme, ann):
    made = create(alice, "schedules", name="s")
    path = f"/api/schedules/{made['id']}/ical/"
    calendar = CALENDAR.format(name="ann")
    assert alice.generic("PUT", path, calendar, content_type="text/calendar").json()["ical"] == calendar
    for body in (b"nonsense", b"\xff", b"\0", b"x" * (1 << 21), CALENDAR.format(name="zoe").encode()):
        assert alice.generic("PUT", path, body, content_type="text/calendar").status_code == 400
    assert alice.get(f"/api/schedules/{made['id']}/").json()["ical"] == calendar


def test_the_calendar_goes_out_at_an_address_that_can_be_replaced(alice, client, acme, ann):
    schedule = make_schedule(acme, ann)
    before = urlsplit(alice.get(f"/api/schedules/{schedule.pk}/").json()["calendar"]).path
    text = client.get(before)
    assert text["Content-Type"] == "text/calendar; charset=utf-8"
    assert "SUMMARY:ann" in text.content.decode()
    after = alice.post(f"/api/schedules/{schedule.pk}/replace-calendar/").json()["calendar"]
    assert client.get(before).status_code == 404
    assert client.get(urlsplit(after).path).status_code == 200
    OnCallSchedule.objects.for_tenant(acme).all().delete()
    assert client.get(urlsplit(after).path).status_code == 404


def test_policies_do_not_hand_over_in_a_circle(alice, acme, ann):
    first = make_policy(acme, ("0s", ann), name="first")
    second = make_policy(acme, ("0s", ann), name="second", hand_over_to=first)
    answer = alice.patch(
        f"/api/escalation-policies/{first.pk}/", {"hand_over_to": str(second.pk)}, format="json"
    )
    assert list(answer.json()["errors"]) == ["hand_over_to"]
    assert "hands over to it" in alice.delete(f"/api/escalation-policies/{first.pk}/").json()["detail"]
