"""Rollouts, sizes and places: what is planned, why, and that it never goes beyond its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertsite.core.errors import InvalidParameter
from healing.automation.placing import NoPlace, Place, Policy, move_playbook, rank
from healing.automation.rollouts import Canary, Watch, canary_playbook, rolling_playbook
from healing.automation.scaling import Bounds, compare, decide
from healing.automation.tuning import Allowed, Measured, Sizes, propose
from healing.playbooks.planner import compile_playbook
from healing.playbooks.schema import read_playbook
from rules.language.plan import plan

WATCH = Watch(("EvaluationLate",), 60_000)
HERE = Place("aws", "eu-west-1", "prod-aws", 1.0, 20.0, 0.5, 1.0)
THERE = Place("gcp", "europe-west1", "prod-gcp", 0.5, 40.0, 0.5, 1.0)
BOUNDS = Bounds(1, 10, 100.0)
SIZES = Sizes(workers=2, prefetch=1, batch=10, shard_rules=1000)
ALLOWED = Allowed(5.0, {"workers": (1, 8), "prefetch": (1, 16), "batch": (1, 100), "shard_rules": (50, 5000)})


def steps_of(text):
    compile_playbook(text)
    return [step.model_dump(by_alias=True, exclude_none=True) for step in read_playbook(text)[0].steps]


def test_canary_grows_by_shares_and_looks_after_each():
    steps = steps_of(canary_playbook(Canary("prod", "web", "web-new", 10, (0.1, 1.0)), WATCH))

    scaled = [(step["with"]["service"], step["with"]["size"]) for step in steps if "action" in step]
    assert scaled == [("web-new", 1), ("web-new", 10), ("web", 0)]
    assert all("check" in step for step in (steps[0], *steps[3::3]))


@pytest.mark.parametrize("shares", [(), (0.5,), (0.5, 0.1, 1.0), (0.0, 1.0)])
def test_canary_of_shares_that_do_not_grow_to_all_is_refused(shares):
    with pytest.raises(InvalidParameter, match="shares"):
        canary_playbook(Canary("prod", "web", "web-new", 10, shares), WATCH)


@pytest.mark.parametrize("name", ["High load (db)", "a|b", 'say "no"', "one\\two", "Plain"])
def test_a_rollout_is_stopped_by_the_alert_of_this_name_whatever_it_is(name):
    [matchers] = plan(Watch(("Other", name)).quiet).selectors
    stops = [one for one in matchers if one.name == "alertname"]
    assert [one.matches(name) for one in stops] == [True]
    assert not any(one.matches(name + "x") or one.matches("a") for one in stops)


def test_rolling_goes_back_where_an_alert_fires_and_stops_there():
    steps = steps_of(rolling_playbook("prod", ["web", "beat"], WATCH))

    words = [step.get("action") for step in steps if "action" in step]
    assert words == ["restart_service", "undo_rollout", "restart_service", "undo_rollout"]
    assert steps[4]["if"] == "not results.quiet_0.held"
    assert steps[4]["undo"] is False
    assert steps[5] == steps[5] | {"check": "vector(0) > 0", "if": "not results.quiet_0.held"}


def test_scaling_follows_the_forecast_by_bounded_steps():
    assert decide(90.0, [350.0], 1, 0, BOUNDS).replicas == 3
    assert decide(90.0, [float("nan")], 1, 0, BOUNDS).replicas == 1


def test_scaling_down_waits_for_the_cool_down():
    assert decide(90.0, [], 5, 1_000, BOUNDS).replicas == 5
    assert decide(90.0, [], 5, 600_000, BOUNDS).replicas == 3


@given(
    load=st.floats(0, 1e9),
    forecast=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=5),
    replicas=st.integers(1, 10),
    since_ms=st.integers(0, 10**7),
)
def test_scaling_never_leaves_its_bounds(load, forecast, replicas, since_ms):
    decided = decide(load, forecast, replicas, since_ms, BOUNDS).replicas

    assert BOUNDS.minimum <= decided <= BOUNDS.maximum
    assert abs(decided - replicas) <= BOUNDS.step


def test_prediction_carries_what_reaction_starves():
    loads = [100.0, 100.0, 300.0, 300.0, 300.0]
    perfect = [loads[step + 1 : step + 2] for step in range(len(loads))]

    both = compare(loads, perfect, BOUNDS, step_ms=60_000)

    assert both.predictive.starved == 0
    assert both.benefit == 200.0
    assert both.cost == 2


def test_ranking_explains_each_number():
    ranking = rank([HERE, THERE], Policy({"price": 3.0, "latency": 1.0}))

    best = ranking.scores[0]
    assert best.place is THERE
    assert best.total == pytest.approx(0.75 + 0.125)
    assert best.reasons[:2] == ("price 0.750: 0.5 $/h, least 0.5", "latency 0.125: 40 ms, least 20")


def test_hard_constraint_is_not_outweighed():
    ranking = rank([HERE, THERE], Policy(regions=frozenset({"eu-west-1"})))

    assert [score.place for score in ranking.scores] == [HERE]
    assert "is not of eu-west-1" in ranking.refused["gcp/prod-gcp/europe-west1"]


def test_no_allowed_place_is_said_with_reasons():
    with pytest.raises(NoPlace, match="latency is 20, beyond"):
        rank([HERE], Policy(max_latency_ms=10))


def test_two_accounts_with_the_same_region_are_two_places():
    other = Place("aws", "eu-west-1", "old-aws", 9.0, 20.0, 0.05, 1.0)
    ranking = rank([HERE, other], Policy())
    assert [one.place.name for one in ranking.scores] == ["aws/prod-aws/eu-west-1"]
    assert set(ranking.refused) == {"aws/old-aws/eu-west-1"}


def test_move_starts_there_before_it_ends_here():
    steps = steps_of(move_playbook("web", 3, HERE, THERE, 'up{job="web"} == 1'))

    assert [step.get("account") for step in steps if "action" in step] == ["prod-gcp", "prod-aws"]
    assert "check" in steps[1]


def test_a_size_beyond_its_bounds_moves_towards_them_by_a_factor_of_two_at_most():
    beyond = Allowed(5.0, {"workers": (16, 32)})
    [found] = propose(Measured(10.0, 0.3, 9.0), SIZES, beyond)
    assert (found.subject, found.proposed) == ("workers", 4)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        pytest.param(Measured(10.0, 0.02, 0.1), {"workers": 1, "prefetch": 2}, id="idle"),
        pytest.param(Measured(10.0, 0.3, 9.0), {"workers": 4}, id="late, at most doubled"),
        pytest.param(Measured(1.0, 1.0, 1.0), {}, id="kept and busy"),
        pytest.param(Measured(0.5, 4.0, 1.0), {"shard_rules": 625}, id="shards too long"),
        pytest.param(Measured(700.0, 0.002, 1.0), {"prefetch": 2, "batch": 20}, id="tasks too small"),
    ],
)
def test_sizes_are_proposed_from_what_was_measured(measured, expected):
    found = propose(measured, SIZES, ALLOWED)

    assert {one.subject: one.proposed for one in found} == expected
    assert all(one.evidence for one in found)
