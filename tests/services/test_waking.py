"""Nudges: one that waits is not sent twice, and none is held back once its task has begun to look."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis
from celery import current_app
from django.db import transaction

from alertsite.tenancy.scope import platform_scope
from rules.services import waking
from rules.services.routing import settings_of
from rules.services.stores import redis_client
from tests.factories.healing import fire, make_playbook
from tests.factories.playbooks import RESTART
from tests.factories.rows import make_tenant
from tests.fakes.clock import FakeClock

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def sent(db, redis_url, monkeypatch):
    tasks = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: tasks.append(name))
    return tasks


def nudge(callbacks):
    with callbacks(execute=True), transaction.atomic():
        waking.nudge_after_commit()


def test_a_nudge_that_waits_is_not_sent_again(sent, django_capture_on_commit_callbacks):
    for _ in range(3):
        nudge(django_capture_on_commit_callbacks)
    assert sent == [waking.WAKE_GROUPS]


def test_another_is_sent_once_the_task_has_begun(sent, django_capture_on_commit_callbacks):
    nudge(django_capture_on_commit_callbacks)
    waking.begin_waking(waking.WAKE_GROUPS, waking.GROUPS, nudged=True, now=NOW)
    nudge(django_capture_on_commit_callbacks)
    assert sent == [waking.WAKE_GROUPS] * 2


def test_a_nudge_that_was_lost_holds_none_back_for_long(sent, django_capture_on_commit_callbacks):
    nudge(django_capture_on_commit_callbacks)
    (key,) = redis_client().keys("alertsite:waking:*")
    assert 0 < redis_client().pttl(key) <= waking.NUDGE_WAITS_MS


def test_a_waking_task_works_without_redis(monkeypatch):
    class Lost:
        def delete(self, _):
            raise redis.ConnectionError("away")

    monkeypatch.setattr(waking, "redis_client", Lost)
    waking.begin_waking(waking.WAKE_GROUPS, waking.GROUPS, nudged=True, now=NOW)


def test_only_who_was_woken_by_time_shows_that_time_is_kept(sent):
    for nudged in (True, False):
        waking.begin_waking(waking.WAKE_GROUPS, waking.GROUPS, nudged=nudged, now=NOW)
        assert waking.wake_is_overdue(waking.GROUPS, now=NOW) is nudged


class Work:
    """Alerts that become due, and what hears of them."""

    def __init__(self, nudge, *arrivals):
        self.due: list[str] = []
        self.done: list[list[str]] = []
        self._arrivals = list(arrivals)
        self._nudge = nudge

    def look(self):
        found, self.due = self.due, []
        return found

    def act(self, found):
        self.done.append(list(found))
        if self._arrivals:
            self.due.append(self._arrivals.pop(0))
            self._nudge()


def test_what_comes_while_a_nudged_task_works_needs_no_other(sent, django_capture_on_commit_callbacks):
    work = Work(lambda: nudge(django_capture_on_commit_callbacks), "second", "third")
    work.due = ["first"]
    nudge(django_capture_on_commit_callbacks)
    assert waking.until_idle(waking.WAKE_GROUPS, work.look, work.act, FakeClock(NOW)) == 3
    assert work.done == [["first"], ["second"], ["third"]]
    assert sent == [waking.WAKE_GROUPS]
    nudge(django_capture_on_commit_callbacks)
    assert sent == [waking.WAKE_GROUPS] * 2


def test_what_is_stored_just_after_a_look_that_found_nothing_is_found_or_nudges(
    sent, django_capture_on_commit_callbacks
):
    work = Work(lambda: nudge(django_capture_on_commit_callbacks))
    nudge(django_capture_on_commit_callbacks)

    def act(found):
        if not work.done:
            work.due.append("late")
            nudge(django_capture_on_commit_callbacks)
        work.act(found)

    assert waking.until_idle(waking.WAKE_GROUPS, work.look, act, FakeClock(NOW)) == 1
    assert work.done == [[], ["late"]]


def test_a_nudged_task_ends_though_there_is_always_more(sent):
    clock = FakeClock(NOW)

    def act(_):
        clock.advance(milliseconds=waking.STAYS_MS // 2)

    assert waking.until_idle(waking.WAKE_GROUPS, lambda: ["more"], act, clock) == 3


@pytest.mark.parametrize(
    ("text", "nudged"),
    [
        pytest.param("", [], id="no playbook"),
        pytest.param(
            RESTART.replace("{alert: 'alertname=\"ServiceDown\"'}", "{manual: true}"), [], id="by hand"
        ),
        pytest.param(RESTART, [waking.WAKE_HEALING], id="a playbook for alerts"),
    ],
)
def test_healing_is_nudged_where_alerts_may_start_a_playbook(
    sent, django_capture_on_commit_callbacks, django_assert_num_queries, text, nudged
):
    with platform_scope():
        acme = make_tenant("acme")
        settings_of(acme.pk)
        if text:
            make_playbook(acme, text)
        with django_assert_num_queries(1):
            settings_of(acme.pk)
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            fire(acme)

    assert [task for task in sent if task == waking.WAKE_HEALING] == nudged
