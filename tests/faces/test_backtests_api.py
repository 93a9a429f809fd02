"""Back-tests over REST and from the shell."""

from __future__ import annotations

import io

import numpy as np
import pytest
from django.core.management import call_command

from alertsite.core.clock import from_datetime
from alertsite.core.labels import label_set
from alertsite.tenancy.models import Quota
from rules.models import AlertTransition
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store
from tests.factories.rows import NOON, make_group, make_rule

START = from_datetime(NOON)


@pytest.fixture
def history(acme):
    """Twenty minutes of a load of 1, with 9 from the fifth to the tenth, a sample each 15 seconds."""
    Quota.objects.filter(pk=acme.pk).update(lateness_s=31 * 86_400, hot_retention_s=31 * 86_400)
    times = START + np.arange(0, 20 * 60_000, 15_000)
    minutes = (times - START) / 60_000
    values = np.where((minutes >= 5) & (minutes < 10), 9.0, 1.0)
    labels = label_set({"__name__": "load", "host": "a"})
    batch = SampleBatch([labels], np.zeros(len(times), np.int64), times, values)
    assert hot_store(acme.pk).append(batch, now_ms=START + 20 * 60_000).accepted == len(times)


def ask(client, **values):
    body = {"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:19:00Z", "step": "15s"} | values
    return client.post("/api/rules/backtest/", body, format="json")


def test_draft_is_tried_scored_and_drawn_and_nothing_is_stored(bob, acme, history):
    incidents = [{"start": "2026-03-01T12:04:00Z", "end": "2026-03-01T12:10:00Z"}]
    draft = {"expr": "load > 5", "for": "1m", "annotations": {"summary": "{{ $labels.host }}"}}

    done = ask(bob, draft=draft, incidents=incidents, svg=True).json()

    assert [(one["at"][11:19], one["state"]) for one in done["transitions"]] == [
        ("12:05:00", "pending"),
        ("12:06:00", "firing"),
        ("12:10:00", "resolved"),
    ]
    assert done["transitions"][1]["annotations"] == {"summary": "a"}
    assert (done["alert_minutes"], done["notifications"], done["ticks"]) == (4, 2, 77)
    assert done["score"]["precision"] == done["score"]["recall"] == 1
    assert done["score"]["detection_delay_s"] == 120
    assert (done["plot"]["threshold"], len(done["plot"]["series"])) == (5, 1)
    assert 'class="firing"' in done["svg"]
    assert not AlertTransition.objects.for_tenant(acme).exists()


def test_draft_is_compared_with_the_live_rule(alice, acme, history):
    rule = make_rule(make_group(acme), name="Busy", expr="load > 5")

    done = ask(alice, rule=str(rule.pk), draft={"for": "3m"}).json()

    assert (done["live"]["alert_minutes"], done["alert_minutes"]) == (5, 2)
    assert done["difference"]["minutes_only_live"] == 3
    assert ask(alice, rule=str(rule.pk)).json()["alert_minutes"] == 5


def test_recording_rules_of_the_group_are_replayed_with_it(alice, acme, history):
    group = make_group(acme)
    make_rule(group, kind="recording", name="host:load:max", expr="max by (host) (load)", position=0)
    rule = make_rule(group, name="Busy", expr="host:load:max > 5", position=1)

    assert ask(alice, rule=str(rule.pk)).json()["alert_minutes"] == 5


@pytest.mark.parametrize(
    ("values", "status"),
    [
        pytest.param({}, 400, id="nothing to try"),
        pytest.param({"draft": {"expr": "sum(("}}, 400, id="does not parse"),
        pytest.param({"draft": {"expr": "up"}, "end": "2026-02-01T00:00:00Z"}, 400, id="no tick"),
        pytest.param({"draft": {"expr": "up"}, "end": "2029-02-01T00:00:00Z"}, 400, id="too many ticks"),
        pytest.param({"rule": "00000000-0000-0000-0000-000000000001"}, 404, id="unknown rule"),
    ],
)
def test_what_cannot_be_tried_is_refused(alice, values, status):
    assert ask(alice, **values).status_code == status


def test_command_tells_and_draws(acme, history, tmp_path):
    (tmp_path / "rules.yml").write_text("groups: [{name: g, rules: [{alert: Busy, expr: load > 5}]}]")
    out = io.StringIO()

    call_command(
        "rules", "backtest", str(tmp_path / "rules.yml"), "--tenant", "acme", "--plots", str(tmp_path),
        "--start", "2026-03-01T12:00:00Z", "--end", "2026-03-01T12:19:00Z", "--step", "15s", stdout=out,
    )  # fmt: skip

    lines = out.getvalue().splitlines()
    assert lines[0].startswith('2026-03-01T12:05:00Z {alertname="Busy", host="a"} inactive')
    assert lines[-1].startswith("Busy: 77 ticks, 2 transitions, 2 notifications, 5 alert minutes")
    assert (tmp_path / "Busy.svg").read_text().startswith("<svg")
