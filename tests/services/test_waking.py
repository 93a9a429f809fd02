"""Nudges: one that waits is not sent twice, and none is held back once its task has begun to look."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis
from celery import current_app
from django.db import transaction

from alertsite.tenancy.scope import platform_scope
from rules.services import nudging, waking
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
        nudging.nudge_after_commit()


def test_a_nudge_that_waits_is_not_sent_again(sent, django_capture_on_commit_callbacks):
    for _ in range(3):
        nudge(django_capture_on_commit_callbacks)
    assert sent == [nudging.WAKE_GROUPS]


def test_another_is_sent_once_the_task_has_begun(sent, django_capture_on_commit_callbacks):
    nudge(django_capture_on_commit_callbacks)
    nudging.begin_waking(nudging.WAKE_GROUPS, waking.GROUPS, nudged=True, now=NOW)
    nudge(django_capture_on_commit_callbacks)
    assert sent == [nudging.WAKE_GROUPS] * 2


def test_a_nudge_that_was_lost_holds_none_back_for_long(sent, django_capture_on_commit_callbacks):
    nudge(django_capture_on_commit_callbacks)
    (key,) = redis_client().keys("alertsite:waking:*")
    assert 0 < redis_client().pttl(key) <= nudging.WAITS_MS


def test_a_waking_task_works_without_redis(monkeypatch):
    class Lost:
        def delete(self, _):
            raise redis.ConnectionError("away")

    monkeypatch.setattr(nudging, "redis_client", Lost)
    nudging.begin_waking(nudging.WAKE_GROUPS, waking.GROUPS, nudged=True, now=NOW)


def test_only_who_was_woken_by_time_shows_that_time_is_kept(sent):
    for nudged in (True, False):
        nudging.begin_waking(nudging.WAKE_GROUPS, waking.GROUPS, nudged=nudged, now=NOW)
        assert waking.wake_is_overdue(waking.GROUPS, now=NOW) is nudged


class Work:
    """Alerts that become due, and what hears of them."""

    def __init__(self, nudge, *arrivals):
        self.due: list[str] = []
        self.done: list[str] = []
        self._arrivals = list(arrivals)
        self._nudge = nudge

    def __call__(self):
        """Do what is due; meanwhile the next arrives."""
        found, self.due = self.due, []
        self.done += found
        if self._arrivals:
            self.due.append(self._arrivals.pop(0))
            self._nudge()
        return len(found)


def until_idle(work, clock=None):
    return nudging.until_idle(nudging.WAKE_GROUPS, work, clock or FakeClock(NOW), listens_s=0.01)


def test_what_comes_while_a_nudged_task_works_needs_no_other(sent, django_capture_on_commit_callbacks):
    work = Work(lambda: nudge(django_capture_on_commit_callbacks), "second", "third")
    work.due = ["first"]
    nudge(django_capture_on_commit_callbacks)
    assert until_idle(work) == 3
    assert work.done == ["first", "second", "third"]
    assert sent == [nudging.WAKE_GROUPS]
    nudge(django_capture_on_commit_callbacks)
    assert sent == [nudging.WAKE_GROUPS] * 2


def test_what_is_stored_just_after_a_look_that_found_nothing_is_heard_of(
    sent, django_capture_on_commit_callbacks
):
    work = Work(lambda: nudge(django_capture_on_commit_callbacks), "late")
    nudge(django_capture_on_commit_callbacks)
    assert nudging.until_idle(nudging.WAKE_GROUPS, work, FakeClock(NOW), listens_s=0.01) == 1
    assert work.done == ["late"]
    assert sent == [nudging.WAKE_GROUPS]


def test_a_nudged_task_ends_though_there_is_always_more(sent):
    clock = FakeClock(NOW)

    def work():
        clock.advance(milliseconds=nudging.STAYS_MS // 2)
        return 1

    assert until_idle(work, clock) == 3


def test_what_is_due_is_done_without_redis(monkeypatch):
    def lost():
        raise redis.ConnectionError("away")

    monkeypatch.setattr(nudging, "redis_client", lost)
    assert until_idle(lambda: 2) == 2


def test_help_is_called_once_in_a_while(sent):
    for _ in range(3):
        nudging.call_help(nudging.WAKE_GROUPS)
    assert sent == [nudging.WAKE_GROUPS]


@pytest.mark.parametrize(
    ("text", "nudged"),
    [
        pytest.param("", [], id="no playbook"),
        pytest.param(
            RESTART.replace("{alert: 'alertname=\"ServiceDown\"'}", "{manual: true}"), [], id="by hand"
        ),
        pytest.param(RESTART, [nudging.WAKE_HEALING], id="a playbook for alerts"),
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

    assert [task for task in sent if task == nudging.WAKE_HEALING] == nudged
