"""Model groups over real PostgreSQL and Redis: learn, score, fall back, recover, be used by rules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alertsite.core.clock import from_datetime
from ml.models import ModelGroup, ModelVersion
from ml.services import claiming, groups, scoring, training
from ml.services.groups import InvalidModelGroup
from ml.services.reading import read_grid
from rules.models import AlertInstance, Feedback, Shard
from rules.services import evaluation, waking
from rules.services.authoring import Author
from tests.factories.modelling import latest, learn, make_models, minute, ordinary, state_of, write
from tests.factories.rows import NOON, make_group, make_rule


def test_a_spike_scores_above_one_and_a_rule_on_the_score_fires(tenant, clock, group):
    make_rule(make_group(tenant, interval_s=60), name="Strange", expr="anomaly_score > 1")

    assert minute(tenant, clock, 10.1).samples == 4
    assert state_of(group) == ("active", "")
    assert latest(tenant, clock)["a"] < 1
    for _ in range(3):
        minute(tenant, clock, 60.0)

    assert latest(tenant, clock)["a"] > 1
    assert latest(tenant, clock, "anomaly_upper")["a"] < 60
    Shard.objects.for_tenant(tenant).update(next_due_at=clock.now())
    evaluation.evaluate_claims(waking.claim_due_shards(now=clock.now()), clock)
    alert = AlertInstance.objects.for_tenant(tenant).get(rule__name="Strange")
    assert {**alert.labels, "severity": ""} == {
        "alertname": "Strange", "host": "a", "metric": "load", "model_group": "hosts", "severity": ""
    }  # fmt: skip


def test_due_ticks_are_caught_up_with_the_scores_that_living_workers_would_have_written(tenant, clock, group):
    values = [10.0, 10.3, 30.0, 10.1, 9.8]
    clock.advance(minutes=len(values))
    write(tenant, clock, values)
    assert scoring.score_claims(claiming.claim_due(now=clock.now()), clock).ticks == len(values)
    now_ms = clock.now_ms()
    ticks = range(now_ms - 4 * 60_000, now_ms + 1, 60_000)
    at_once = read_grid(tenant.pk, "anomaly_score", ticks, now_ms=now_ms).values[0]

    for tick in ticks:
        ModelGroup.objects.for_tenant(tenant).update(
            next_due_at=NOON + timedelta(milliseconds=tick - from_datetime(NOON))
        )
        scoring.score_claims(claiming.claim_due(now=clock.now()), clock)
    one_by_one = read_grid(tenant.pk, "anomaly_score", ticks, now_ms=now_ms).values[0]
    assert at_once.tolist() == one_by_one.tolist()
    assert at_once[2] > 1


def test_a_claim_is_exclusive_and_an_older_one_writes_nothing(tenant, clock, group):
    clock.advance(minutes=1)
    write(tenant, clock, [10.0])
    first = claiming.claim_due(now=clock.now())
    assert claiming.claim_due(now=clock.now()) == []
    clock.advance(seconds=61)
    second = claiming.claim_due(now=clock.now())
    assert scoring.score_claims(first, clock).groups == 0
    assert scoring.score_claims(second, clock).groups == 1


def spoil(group: ModelGroup) -> None:
    versions = ModelVersion.objects.for_tenant(group.tenant_id)
    versions.update(artefact=b"altered", checksum="0" * 64)


def age(group: ModelGroup) -> None:
    ModelVersion.objects.for_tenant(group.tenant_id).update(trained_until=NOON - timedelta(days=1))


def remove(group: ModelGroup) -> None:
    ModelVersion.objects.for_tenant(group.tenant_id).delete()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(spoil, "checksum", id="corrupt"),
        pytest.param(age, "stale", id="stale"),
        pytest.param(remove, "no model", id="missing"),
    ],
)
def test_without_a_model_to_trust_the_robust_detector_scores_and_the_group_says_so(
    tenant, clock, group, damage, reason
):
    damage(group)
    minute(tenant, clock, 60.0)
    state, said = state_of(group)
    assert state == "fallback"
    assert reason in said
    assert latest(tenant, clock)["a"] > 1


def test_a_series_without_history_is_not_scored(tenant, clock):
    group = make_models(tenant, clock)
    assert minute(tenant, clock, 60.0).samples == 0
    assert state_of(group)[0] == "warming"
    assert learn(group, clock) is None
    group.refresh_from_db()
    assert "warm-up" in group.training_error


def test_a_series_that_is_newer_than_the_model_is_scored_by_the_robust_detector(tenant, clock, group):
    write(tenant, clock, ordinary(120, seed=2), host="b")
    clock.advance(minutes=1)
    write(tenant, clock, [10.0])
    minute(tenant, clock, 60.0, host="b")
    assert state_of(group) == ("active", "1 series are newer than version 1")
    assert latest(tenant, clock)["b"] > 1


def test_a_failed_training_leaves_the_champion(tenant, clock, group, monkeypatch):
    monkeypatch.setattr(training, "read_group", lambda *args, **terms: (_ for _ in ()).throw(MemoryError()))
    assert learn(group, clock) is None
    group.refresh_from_db()
    assert group.training_error == "MemoryError"
    assert ModelVersion.objects.for_tenant(tenant).get().status == "champion"


def test_more_than_memory_allows_is_refused_and_the_champion_stays(tenant, clock, group, monkeypatch):
    monkeypatch.setattr(training, "MAX_VALUES", 100)
    assert learn(group, clock) is None
    group.refresh_from_db()
    assert "100 values" in group.training_error
    assert ModelVersion.objects.for_tenant(tenant).get().status == "champion"


def test_a_poisoned_burst_is_not_learned_unless_people_call_it_noise(tenant, clock, group):
    for value in (60.0, 61.0, 62.0):
        minute(tenant, clock, value)
    second = learn(group, clock)
    assert second.quality["excluded_samples"] >= 1
    assert second.parent.number == 1

    Feedback.objects.for_tenant(tenant).create(
        tenant=tenant, verdict="noise", alert_id=group.pk, labels={"host": "a", "alertname": "Strange"},
        starts_at=NOON, ends_at=clock.now(), actor="ann", at=clock.now(),
    )  # fmt: skip
    assert learn(group, clock).quality["excluded_samples"] == 0


def test_a_version_is_promoted_rolled_back_and_retired(tenant, clock, group):
    learn(group, clock)
    author = Author("alice", clock.now())
    first, second = ModelVersion.objects.for_tenant(tenant).order_by("number")
    assert [first.status, second.status] == ["retired", "champion"]
    assert groups.rollback(second, author).number == 1
    groups.promote(second, author)
    groups.retire(second, author)
    assert not ModelVersion.objects.for_tenant(tenant).filter(status="champion").exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"detector": "kmeans"}, "detector", id="of hosts"),
        pytest.param({"selector": "sum(load)"}, "selector", id="no selector"),
        pytest.param({"selector": "load{"}, "selector", id="no PromQL"),
        pytest.param({"step_s": 5, "retrain_interval_s": 86_400}, "retrain_interval_s", id="rarely"),
    ],
)
def test_what_cannot_be_scored_is_refused(tenant, clock, values, field):
    with pytest.raises(InvalidModelGroup) as refused:
        make_models(tenant, clock, **values)
    assert list(refused.value.errors) == [field]


def test_training_is_claimed_once_until_its_lease_ends(tenant, clock, group):
    clock.advance(hours=1)
    assert claiming.claim_training(now=clock.now()) == [(group.pk, tenant.pk)]
    assert claiming.claim_training(now=clock.now()) == []
    clock.advance(minutes=10)
    assert len(claiming.claim_training(now=clock.now())) == 1


@pytest.mark.parametrize(
    ("points", "detector"),
    [pytest.param(2879, "ewma", id="under two days"), pytest.param(2880, "auto", id="two days")],
)
def test_auto_waits_for_two_days_before_it_compares_with_yesterday(points, detector):
    assert training.detector_for(ModelGroup(step_s=60), points).name == detector
    assert training.detector_for(ModelGroup(step_s=60, detector="sub_pca"), points).name == "sub_pca"
