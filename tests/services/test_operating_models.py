"""Models in operation over real PostgreSQL and Redis: challengers, feedback, drift, resuming, hosts."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.db import transaction

from alertsite.core.errors import Conflict
from alertsite.core.labels import label_set
from ml.detectors.registry import DEEP
from ml.models import DriftEvent, ModelGroup, ModelVersion, SeenAnomaly, TrainingCheckpoint
from ml.services import checkpoints, claiming, drifting, groups, pruning, scoring, training
from ml.services.explaining import explain
from ml.services.measuring import accuracy_of
from rules.models import Feedback
from rules.series.protocols import SampleBatch
from rules.services.authoring import Author
from rules.services.stores import hot_store
from tests.factories.modelling import (
    HISTORY,
    latest,
    learn,
    make_models,
    minute,
    ordinary,
    state_of,
    write,
)
from tests.factories.rows import NOON


def versions_of(group: ModelGroup):
    return ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group)


def test_a_challenger_scores_beside_the_champion_and_their_agreement_is_kept(tenant, clock, group):
    learn(group, clock)
    author = Author("alice", clock.now())
    former, champion = versions_of(group).order_by("number")
    assert groups.shadow(former, author).status == "challenger"
    with pytest.raises(Conflict):
        groups.shadow(champion, author)

    for value in (10.0, 60.0):
        minute(tenant, clock, value)

    assert latest(tenant, clock, 'anomaly_score_shadow{version="1"}')["a"] > 1
    former.refresh_from_db()
    told = former.shadow
    assert (told["samples"], told["agreed"], told["flagged"], told["agreement"]) == (2, 2, 1, 1.0)
    groups.promote(former, author)
    minute(tenant, clock, 10.0)
    assert former.shadow["samples"] == 2


def test_a_challenger_that_fails_says_so_and_disturbs_nobody(tenant, clock, group):
    learn(group, clock)
    groups.shadow(versions_of(group).get(number=1), Author("alice", clock.now()))
    versions_of(group).filter(number=1).update(checksum="0" * 64)
    assert minute(tenant, clock, 10.0).samples == 4
    assert state_of(group) == ("active", "")
    assert "checksum" in versions_of(group).get(number=1).shadow["error"]


def judged(tenant, clock, verdict: str, minutes_ago: int, actor: str = "ann", alert_id=None) -> None:
    start = clock.now() - timedelta(minutes=minutes_ago)
    Feedback.objects.for_tenant(tenant).create(
        tenant=tenant, verdict=verdict, alert_id=alert_id, labels={"host": "a", "model_group": "hosts"},
        starts_at=start, ends_at=start, actor=actor, at=clock.now(),
    )  # fmt: skip


def test_noise_raises_the_threshold_and_the_reason_is_told(tenant, clock, group):
    for value in (12.6, 10.0, 12.6, 10.0, 12.6):
        minute(tenant, clock, value)
    before = latest(tenant, clock)["a"]
    assert before > 1
    for number, ago in enumerate((4, 2, 0)):
        judged(tenant, clock, "noise", ago, alert_id=versions_of(group).get().pk, actor=f"person {number}")

    learn(group, clock)
    group.refresh_from_db()
    assert group.threshold_scale > 1.1
    assert "3 noise" in group.threshold_reason
    scale = group.threshold_scale
    learn(group, clock)
    group.refresh_from_db()
    assert group.threshold_scale == scale, "verdicts count once"
    assert training.terms_of(group).sensitivity == pytest.approx(1 / scale)


def test_what_was_missed_lowers_the_threshold(tenant, clock, group):
    minute(tenant, clock, 11.3)
    score = latest(tenant, clock)["a"]
    assert 0.3 < score < 1
    judged(tenant, clock, "missed", 0)
    learn(group, clock)
    group.refresh_from_db()
    assert 0.5 <= group.threshold_scale < 1
    assert "1 missed" in group.threshold_reason


def test_drift_is_told_recorded_and_trains_at_a_bounded_rate(tenant, clock, group):
    clock.advance(minutes=120)
    write(tenant, clock, list(np.random.default_rng(3).normal(14.0, 2.0, 120)))
    ModelGroup.objects.for_tenant(tenant).update(
        season_s=7200, next_train_at=clock.now() + timedelta(hours=1)
    )
    found = drifting.look_for_drift(tenant.pk, group.pk, clock)
    assert found["values"] > 0.25
    event = DriftEvent.objects.for_tenant(tenant).get()
    assert (event.subject, event.version.number, event.training_asked) == ("values", 1, True)
    assert claiming.claim_training(now=clock.now()) == [(group.pk, tenant.pk)]
    assert latest(tenant, clock, "model_drift", label="subject")["values"] == pytest.approx(event.psi)

    learn(group, clock)
    versions_of(group).filter(status="champion").update(
        profile=versions_of(group).get(number=1).profile, trained_until=NOON, created_at=clock.now()
    )
    drifting.look_for_drift(tenant.pk, group.pk, clock)
    assert not DriftEvent.objects.for_tenant(tenant).filter(version__number=2, training_asked=True).exists()
    assert claiming.claim_training(now=clock.now()) == []


def test_what_did_not_change_has_not_drifted(tenant, clock, group):
    clock.advance(minutes=120)
    write(tenant, clock, ordinary(120, seed=9))
    ModelGroup.objects.for_tenant(tenant).update(season_s=7200)
    assert drifting.look_for_drift(tenant.pk, group.pk, clock)["values"] < 0.25
    assert not DriftEvent.objects.for_tenant(tenant).exists()


def test_drift_is_claimed_once_until_it_is_due_again(tenant, clock, group):
    assert claiming.claim_drift(now=clock.now()) == [(group.pk, tenant.pk)]
    assert claiming.claim_drift(now=clock.now()) == []
    clock.advance(seconds=450)
    assert len(claiming.claim_drift(now=clock.now())) == 1


class Killed(BaseException):
    """As if the worker were gone."""


@pytest.mark.skipif(not DEEP, reason="torch is not installed")
def test_a_killed_training_goes_on_after_its_last_step(tenant, clock, monkeypatch):
    write(tenant, clock, ordinary(HISTORY))
    group = make_models(tenant, clock, detector="convolutional")
    whole = learn(group, clock)
    keep = checkpoints.Checkpoints.keep
    kept: list[int] = []

    def kept_and_killed(self, step, arrays):
        keep(self, step, arrays)
        kept.append(step)
        if kept == [15, 30]:
            raise Killed

    monkeypatch.setattr(checkpoints.Checkpoints, "keep", kept_and_killed)
    with pytest.raises(Killed):
        learn(group, clock)
    assert TrainingCheckpoint.objects.for_tenant(tenant).get().step == 30
    assert versions_of(group).get(status="champion").pk == whole.pk

    clock.advance(minutes=3)
    resumed = learn(group, clock)
    assert kept == [15, 30, 45, 60]
    assert resumed.trained_until == whole.trained_until
    assert not TrainingCheckpoint.objects.for_tenant(tenant).exists()


def write_host(tenant, clock, values: np.ndarray, host: str) -> None:
    """Metrics of one host, shape (n_metrics, n_points), a minute apart, the last one now."""
    last_ms = clock.now_ms() // 60_000 * 60_000
    metrics, points = values.shape
    labels = [label_set({"__name__": f"m{number}", "host": host}) for number in range(metrics)]
    times = np.tile(last_ms - 60_000 * np.arange(points)[::-1], metrics)
    batch = SampleBatch(labels, np.repeat(np.arange(metrics), points), times, values.ravel())
    assert hot_store(tenant.pk).append(batch, now_ms=clock.now_ms()).accepted == values.size


@pytest.mark.parametrize("detector", ["auto", "kmeans", "host_pca", "vector_autoregression"])
def test_metrics_of_a_host_are_judged_together_and_explained_by_name(tenant, clock, detector):
    random = np.random.default_rng(4)
    common = random.normal(0.0, 1.0, HISTORY)
    for host in ("a", "b"):
        write_host(tenant, clock, 10.0 + common + random.normal(0.0, 0.1, (3, HISTORY)), host)
    selector = '{__name__=~"m[0-9]",host=~".+"}'
    made = make_models(
        tenant, clock, name="machines", selector=selector, host_label="host", detector=detector
    )
    version = learn(made, clock)
    assert version.status == "champion", made.training_error
    assert version.series == [(("host", "a"),), (("host", "b"),)]
    for _ in range(3):
        clock.advance(minutes=1)
        write_host(tenant, clock, np.array([[10.0], [10.0], [10.0]]), "a")
        write_host(tenant, clock, np.array([[10.0], [40.0], [10.0]]), "b")
        scoring.score_claims(claiming.claim_due(now=clock.now()), clock)
    assert state_of(made) == ("active", "")
    scores = latest(tenant, clock)
    assert scores["a"] < 1 < scores["b"]
    _, told = explain(made, clock.now_ms(), now_ms=clock.now_ms())
    assert told[0].labels == (("host", "b"),)
    assert any("m1" in reason.feature for reason in told[0].reasons[:2])


def test_hosts_without_a_model_are_scored_by_their_strangest_metric(tenant, clock):
    random = np.random.default_rng(4)
    write_host(tenant, clock, random.normal(10.0, 0.5, (3, HISTORY)), "a")
    made = make_models(tenant, clock, selector='{host=~".+"}', host_label="host")
    clock.advance(minutes=1)
    write_host(tenant, clock, np.array([[10.0], [60.0], [10.0]]), "a")
    scoring.score_claims(claiming.claim_due(now=clock.now()), clock)
    assert state_of(made)[0] == "fallback"
    assert latest(tenant, clock)["a"] > 1


def test_a_score_is_explained_by_its_band_and_by_the_nearest_past_cases(tenant, clock, group):
    for value in (30.0, 10.0, 10.1, 60.0, 10.0, 10.1, 58.0):
        minute(tenant, clock, value)
    version, [told] = explain(group, clock.now_ms(), now_ms=clock.now_ms())
    assert told.value == 58.0
    assert told.lower < told.expected < told.upper < told.value
    assert [case.value for case in told.cases] == [60.0, 30.0]
    assert told.cases[0].score > 1
    assert version.quality["held_back_samples"]


def test_artefacts_are_files_where_a_directory_is_given(tenant, clock, settings, tmp_path):
    settings.ML_MODEL_PATH = str(tmp_path)
    write(tenant, clock, ordinary(HISTORY))
    group = make_models(tenant, clock)
    version = learn(group, clock)
    [file] = tmp_path.rglob("*.safetensors")
    assert file.stem == version.checksum
    assert bytes(versions_of(group).get().artefact) == b""
    minute(tenant, clock, 10.0)
    assert state_of(group) == ("active", "")

    learn(group, clock)
    newer = versions_of(group).get(status="champion")
    (file.parent / f"{newer.checksum}.safetensors").write_bytes(b"altered")
    minute(tenant, clock, 10.0)
    state, reason = state_of(group)
    assert (state, "checksum" in reason) == ("fallback", True)


def test_accuracy_and_lateness_are_metrics(client, tenant, clock, group):
    versions_of(group).update(quality={"held_back_samples": 50, "flagged_ratio": 0.02})
    text = client.get("/metrics").content.decode()
    assert f'ml_model_accuracy{{model_type="ewma",tenant_id="{tenant.pk}"}} 0.98' in text
    assert 'ml_model_groups{state="warming"} 1.0' in text
    assert "ml_inference_lateness_seconds" in text


@pytest.mark.parametrize(
    ("quality", "accuracy"),
    [
        pytest.param({"mase": 0.25}, 0.8, id="forecasts"),
        pytest.param({"held_back_samples": 0, "flagged_ratio": 0.0}, None, id="nothing was held back"),
        pytest.param({}, None, id="not measured"),
    ],
)
def test_accuracy_of_a_version(quality, accuracy):
    assert accuracy_of(quality) == accuracy


def test_old_versions_go_with_their_files_and_what_is_referred_to_stays(
    tenant, clock, settings, tmp_path, django_capture_on_commit_callbacks
):
    settings.ML_MODEL_PATH = str(tmp_path)
    write(tenant, clock, ordinary(HISTORY))
    group = make_models(tenant, clock)
    learn(group, clock)
    minute(tenant, clock, 60.0)  # version 1 tells of an anomaly
    for _ in range(2):
        minute(tenant, clock, 10.0)
        learn(group, clock)
    DriftEvent.objects.for_tenant(tenant).create(
        tenant=tenant, group=group, version=versions_of(group).get(number=3), subject="values",
        psi=1.0, bound=0.25, training_asked=True, at=clock.now(),
    )  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(5):
            minute(tenant, clock, 10.0)
            learn(group, clock)

    kept = dict(versions_of(group).order_by("number").values_list("number", "status"))
    assert kept == {1: "retired", 3: "retired", 6: "retired", 7: "retired", 8: "champion"} | {
        5: "retired"  # the parent of 6
    }
    files = {path.stem for path in tmp_path.rglob("*.safetensors")}
    assert files == set(versions_of(group).values_list("checksum", flat=True))
    SeenAnomaly.objects.for_tenant(tenant).update(last_at=clock.now() - timedelta(days=31))
    assert pruning.prune_versions(group, now=clock.now()) == 1
    assert not versions_of(group).filter(number=1).exists()
    assert not SeenAnomaly.objects.for_tenant(tenant).exists()
    assert groups.rollback(versions_of(group).get(number=8), Author("alice", clock.now())).number == 7
    minute(tenant, clock, 10.0)
    assert state_of(group) == ("active", "")


def test_what_a_champion_that_was_rolled_back_may_be_rolled_back_to_stays(tenant, clock):
    write(tenant, clock, ordinary(HISTORY))
    group = make_models(tenant, clock)
    for _ in range(6):
        minute(tenant, clock, 10.0)
        learn(group, clock)
    versions_of(group).update(parent=None)
    for number in (6, 5):
        groups.rollback(versions_of(group).get(number=number), Author("alice", clock.now()))
    pruning.prune_versions(group, now=clock.now())
    assert set(versions_of(group).values_list("number", flat=True)) == {6, 5, 4, 3}


def test_a_version_stays_when_its_removal_is_undone(tenant, clock, settings, tmp_path):
    """Files go after the rows, never before: a transaction that fails leaves both."""
    settings.ML_MODEL_PATH = str(tmp_path)
    write(tenant, clock, ordinary(HISTORY))
    group = make_models(tenant, clock)
    for _ in range(4):
        minute(tenant, clock, 10.0)
        learn(group, clock)
    before = {path.stem for path in tmp_path.rglob("*.safetensors")}

    def undone() -> None:
        with transaction.atomic():
            assert pruning.prune_versions(group, now=clock.now()) == 1
            raise RuntimeError

    versions_of(group).filter(number=4).update(parent=None)
    versions_of(group).filter(status="retired").update(status="challenger")
    with pytest.raises(RuntimeError):
        undone()
    assert versions_of(group).count() == 4
    assert {path.stem for path in tmp_path.rglob("*.safetensors")} == before
