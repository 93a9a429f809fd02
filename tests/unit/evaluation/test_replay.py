"""Replays: what rules would have done, what they see of themselves, what stops them."""

from __future__ import annotations

from uuid import UUID

import pytest

from rules.evaluation.replay import Helpers, replay
from rules.evaluation.specs import RuleSpec
from rules.language.engine import EvaluationLimits
from rules.language.errors import QueryTimeout, QueryTooExpensive
from rules.notify.templates import TemplateExpander
from rules.services.templating import template_query
from tests.unit.language.store import store_of

MINUTE = 60_000
LIMITS = EvaluationLimits()


def templates(*_):
    return TemplateExpander()


def rule(number: int, **values):
    known = {"alerting": True, "name": f"Rule{number}", "expr": "up == 0", "group": "g"}
    return RuleSpec(id=UUID(int=number), version=1, **{**known, **values})


def run(load, *specs, minutes=10, limits=LIMITS):
    ticks = range(0, minutes * MINUTE, MINUTE)
    return replay(specs, store_of(load), ticks, limits, Helpers(templates))


def changes(done):
    return [(t.at_ms // MINUTE, t.told.change.state.value) for t in done.transitions]


def test_transitions_intervals_minutes_and_notifications():
    done = run({"up": "1 0 0 0 1 0x9"}, rule(1, hold_for_ms=MINUTE))

    assert changes(done) == [(1, "pending"), (2, "firing"), (4, "resolved"), (5, "pending"), (6, "firing")]
    assert [(one.start_ms, one.end_ms, one.open) for one in done.intervals] == [
        (2 * MINUTE, 4 * MINUTE, False),
        (6 * MINUTE, 9 * MINUTE, True),
    ]
    assert (done.alert_minutes, done.notifications, done.ticks) == (5, 3, 10)
    assert done.samples_read > 10


def test_templates_ask_for_series_as_of_their_tick():
    text = '{{ with query "count_over_time(up[1h])" }}{{ . | first | value }}{{ end }}'

    def asking(reader, limits, at_ms):
        return TemplateExpander(query=template_query(reader, limits, at_ms), now_ms=at_ms)

    ticks = range(0, 5 * MINUTE, MINUTE)
    asked = rule(1, annotations=(("total", text),))
    done = replay([asked], store_of({"up": "1 0 1 0 0"}), ticks, LIMITS, Helpers(asking))

    told = [t.told.annotations["total"] for t in done.transitions if t.told.change.state.value == "firing"]
    assert told == ["2", "4"]


def test_later_rules_and_ticks_read_what_the_replay_recorded_and_fired():
    done = run(
        {"up": "1 0x9"},
        rule(1, alerting=False, name="low", expr="min(up)"),
        rule(2, name="Low", expr="low == 0"),
        rule(3, name="Seen", expr='ALERTS{alertname="Low", alertstate="firing"} == 1'),
        minutes=3,
    )

    assert [(t.at_ms // MINUTE, t.told.spec.name) for t in done.transitions] == [(1, "Low"), (1, "Seen")]


def test_what_the_rules_left_in_the_store_themselves_is_not_read_again():
    load = {"up": "1x9", 'ALERTS{alertname="Down", alertstate="firing"}': "1x9", "low": "0x9"}
    down = rule(1, name="Down", expr='up == 0 or ALERTS{alertname="Down"} == 1')
    low = rule(2, alerting=False, name="low", expr="min(up)")

    assert changes(run(load, down, low, rule(3, expr="low == 0"))) == []


def test_alerts_of_other_rules_are_read_as_they_were():
    load = {'ALERTS{alertname="Other", alertstate="firing"}': "1x9"}

    assert changes(run(load, rule(1, expr='ALERTS{alertname="Other"}'))) == [(0, "firing")]


def test_recording_goes_on_from_what_it_had_written_before():
    history = store_of({"up": "1x20", "low": "5x20"})
    specs = [
        rule(1, alerting=False, name="low", expr="min(up)"),
        rule(2, expr="max_over_time(low[3m]) == 5"),
    ]

    done = replay(specs, history, range(10 * MINUTE, 15 * MINUTE, MINUTE), LIMITS, Helpers(templates))

    assert changes(done) == [(10, "firing"), (12, "resolved")]


def test_error_is_counted_and_disturbs_no_other():
    done = run({'up{a="1"}': "0x9", 'up{a="2"}': "0x9"}, rule(1, expr="up / on () up"), rule(2), minutes=3)

    assert done.failures == {0: 3}
    assert "many-to-many" in done.errors[0]
    assert done.notifications == 2


def test_rule_that_finds_nothing_says_so():
    assert run({}, rule(1), minutes=2).without_data == {0: 2}


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        pytest.param(EvaluationLimits(max_samples=9), QueryTooExpensive, id="samples"),
        pytest.param(EvaluationLimits(out_of_time=lambda: True), QueryTimeout, id="time"),
    ],
)
def test_bounds_stop_a_replay(limits, error):
    with pytest.raises(error):
        run({"up": "0x9"}, rule(1), limits=limits)
