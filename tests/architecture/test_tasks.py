"""Every task states queue, limits and idempotency key, and is in the table of docs/tasks.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertsite.celery import app
from alertsite.schedule import BEAT_SCHEDULE
from alertsite.settings.celery import QUEUES

app.loader.import_default_modules()
OURS = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
TABLE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_there_are_tasks():
    assert len(OURS) >= 8


@pytest.mark.parametrize("name", sorted(OURS))
def test_task_states_its_terms(name):
    task = OURS[name]

    assert task.capability in QUEUES
    assert 0 < task.soft_time_limit < task.time_limit
    assert "Idempotency key" in task.__doc__
    row = f"| `{name}` | {task.capability} | {task.soft_time_limit} / {task.time_limit} |"
    assert row in TABLE


def test_beat_sends_known_tasks():
    assert {entry["task"] for entry in BEAT_SCHEDULE.values()} <= set(OURS)
