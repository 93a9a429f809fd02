"""Links of messages: a page with one button, and what the button does."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core import signing

from rules.models import AlertAction, AlertInstance, Feedback, OutboxMessage
from rules.services import links
from tests.factories.notifying import flush_due, make_route, post
from tests.factories.rows import NOON, make_receiver, make_tenant
from tests.fakes.clock import FakeClock


@pytest.fixture
def message(acme) -> OutboxMessage:
    make_route(acme, receiver=make_receiver(acme, name="desk"), group_by=["alertname"], group_wait_s=0)
    post(acme, {"n": "1", "host": "<db1>"}, {"n": "2"}, ends_at=NOON + timedelta(days=9999))
    flush_due(FakeClock(NOON))
    return OutboxMessage.objects.for_tenant(acme).get()


def path(message: OutboxMessage, action: str) -> str:
    return urlsplit(links.action_links(message)[action]).path


@pytest.mark.parametrize("action", links.ACTIONS)
@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_a_link_changes_nothing(client, acme, message, action, method):
    before = list(AlertInstance.objects.for_tenant(acme).order_by("pk").values())
    answer = getattr(client, method)(path(message, action))
    assert answer.status_code == 200
    assert list(AlertInstance.objects.for_tenant(acme).order_by("pk").values()) == before
    assert not AlertAction.objects.for_tenant(acme).exists()
    assert not Feedback.objects.for_tenant(acme).exists()


@pytest.mark.parametrize(
    ("action", "field"),
    [
        pytest.param("acknowledge", "acknowledged_at", id="acknowledge"),
        pytest.param("snooze", "snoozed_until", id="snooze"),
        pytest.param("resolve", "closed_at", id="resolve"),
    ],
)
def test_the_button_acts_on_every_alert_of_the_message(client, acme, message, action, field):
    post(acme, {"n": "3"})
    shown = client.post(path(message, action)).content.decode()
    assert "2 alert(s) changed" in shown
    alerts = AlertInstance.objects.for_tenant(acme).order_by("labels__n")
    assert [getattr(alert, field) is None for alert in alerts] == [False, False, True]
    assert {row.actor for row in AlertAction.objects.for_tenant(acme)} == {"link:desk"}


@pytest.mark.parametrize("verdict", ["useful", "noise"])
def test_a_judgement_is_kept_once_a_receiver(client, acme, message, verdict):
    for _ in range(2):
        assert client.post(path(message, verdict)).status_code == 200
    rows = Feedback.objects.for_tenant(acme)
    assert {(row.verdict, row.actor) for row in rows} == {(verdict, "link:desk")}
    assert rows.count() == 2


def test_a_second_click_says_that_nothing_changed(client, message):
    client.post(path(message, "acknowledge"))
    assert "Nothing changed" in client.post(path(message, "acknowledge")).content.decode()


@pytest.mark.parametrize(
    ("asked", "language", "button"),
    [
        pytest.param("fr-CA,fr;q=0.9,en;q=0.5", "fr", "Acquitter", id="French"),
        pytest.param("en-GB", "en", "Acknowledge", id="English"),
        pytest.param("de", "en", "Acknowledge", id="neither"),
        pytest.param("", "en", "Acknowledge", id="not said"),
    ],
)
def test_the_page_speaks_the_browsers_language(client, message, asked, language, button):
    page = client.get(path(message, "acknowledge"), HTTP_ACCEPT_LANGUAGE=asked).content.decode()
    assert f'<html lang="{language}">' in page
    assert f'<button type="submit">{button}</button>' in page


def test_the_page_shows_what_others_wrote_as_text_and_runs_nothing(client, message):
    answer = client.get(path(message, "acknowledge"))
    page = answer.content.decode()
    assert "&lt;db1&gt;" in page
    assert "<db1>" not in page
    assert "<script" not in page
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["Referrer-Policy"] == "no-referrer"


def test_it_works_without_a_cookie_or_a_csrf_token(message):
    from django.test import Client

    assert Client(enforce_csrf_checks=True).post(path(message, "acknowledge")).status_code == 200


def test_links_that_are_forged_old_or_of_a_message_that_is_gone_say_why(client, acme, message, monkeypatch):
    link = path(message, "acknowledge")
    forged = signing.dumps([message.pk.hex, "resolve"], salt="another")
    assert "was changed" in client.post(f"/act/{forged}/").content.decode()
    monkeypatch.setattr(links, "LIFETIME", timedelta(seconds=-1))
    old = client.post(link)
    assert (old.status_code, "older than a week" in old.content.decode()) == (400, True)
    monkeypatch.undo()
    message.delete()
    gone = client.post(link)
    assert (gone.status_code, "has been removed" in gone.content.decode()) == (400, True)
    assert not AlertAction.objects.for_tenant(acme).exists()


def test_a_link_reaches_alerts_of_its_own_tenant_alone(client, acme, message):
    other = make_tenant("globex")
    make_route(other)
    post(other, {"n": "1"})
    client.post(path(message, "acknowledge"))
    assert AlertInstance.objects.for_tenant(other).get().acknowledged_at is None
