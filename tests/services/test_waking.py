"""Nudges: one that waits is not sent twice, and none is held back once its task has begun to look."""

from __future__ import annotations

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
    waking.begin_waking(waking.WAKE_GROUPS)
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
    waking.begin_waking(waking.WAKE_GROUPS)


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
