"""Alerts of rules on scores: each says which anomaly is behind it, how far outside, and by which model."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ml.models import ModelGroup, SeenAnomaly
from ml.services import groups
from ml.services.explaining import explain
from ml.services.noting import anomalies_seen
from rules.models import AlertInstance, AlertTransition, Datasource, Rule, Shard
from rules.services import authoring, datasources, evaluation, tracing, waking
from rules.services.authoring import Author, RuleDraft
from tests.factories.modelling import HISTORY, learn, make_models, minute, ordinary, state_of, write
from tests.factories.rows import AUTHOR, make_group, make_rule


def evaluate(tenant, clock) -> None:
    Shard.objects.for_tenant(tenant).update(next_due_at=clock.now())
    evaluation.evaluate_claims(waking.claim_due_shards(now=clock.now()), clock)


def alerts_of(tenant, expr: str, clock, **values):
    make_rule(make_group(tenant, interval_s=60), name="Strange", expr=expr, **values)
    evaluate(tenant, clock)
    return list(AlertInstance.objects.for_tenant(tenant).order_by("labels__host"))


@pytest.mark.parametrize(
    "expr",
    [
        pytest.param("anomaly_score > 1", id="any group"),
        pytest.param('anomaly_score{model_group="hosts",host=~"a|b"} > 1', id="one group"),
        pytest.param("max by (metric) (anomaly_score) > 1", id="an aggregation"),
        pytest.param("max_over_time(anomaly_score[5m]) > 1 and on() vector(1)", id="over time"),
    ],
)
def test_an_alert_on_a_score_is_explained_in_its_annotation_its_trace_and_its_story(
    tenant, clock, group, expr
):
    minute(tenant, clock, 60.0)
    [alert] = alerts_of(tenant, expr, clock)

    told = alert.annotations["explanation"]
    assert 'load{host="a"} is 60, expected 9.9' in told
    assert "ensemble" in told or "ewma" in told
    assert "version 1, learned from" in told
    change = AlertTransition.objects.for_tenant(tenant).get(alert_id=alert.pk)
    [anomaly] = change.trace["anomalies"]
    assert anomaly["score"] > 1
    assert anomaly["lower"] < anomaly["expected"] < anomaly["upper"] < anomaly["value"] == 60.0
    assert anomaly["reasons"][0]["excess"] > 1
    assert (anomaly["version"], anomaly["quality"]["series"]) == (1, 1)
    entries, _ = tracing.in_words(tracing.trace(tenant.pk, alert.pk), "fr")
    assert any(entry["text"].startswith("En cause : load{") for entry in entries)


def test_a_rule_keeps_its_own_explanation_and_other_rules_get_none(tenant, clock, group):
    minute(tenant, clock, 60.0)
    rules = make_group(tenant, interval_s=60)
    make_rule(rules, name="Strange", expr="anomaly_score > 1", annotations={"explanation": "ours"})
    make_rule(rules, name="High", expr="load > 50")
    evaluate(tenant, clock)
    own, other = AlertInstance.objects.for_tenant(tenant).order_by("-rule__name")
    assert own.annotations == {"explanation": "ours"}
    assert other.annotations == {}
    assert "anomalies" not in AlertTransition.objects.for_tenant(tenant).get(alert_id=other.pk).trace


@pytest.mark.parametrize(
    ("expr", "elsewhere"),
    [
        pytest.param("anomaly_score > 1", True, id="asked for elsewhere"),
        pytest.param("anomaly_score >", False, id="does not read"),
    ],
)
def test_a_score_that_is_not_ours_is_not_explained_by_ours(tenant, clock, group, expr, elsewhere):
    minute(tenant, clock, 60.0)
    source = Datasource(tenant=tenant, name="far", url="http://127.0.0.1:1/", enabled=False)
    values = {"datasource_id": str(datasources.save_datasource(source, AUTHOR).pk)} if elsewhere else {}
    rule = make_rule(
        make_group(tenant, interval_s=60), expr="anomaly_score > 1", error_policy="alerting", **values
    )
    Rule.objects.for_tenant(tenant).filter(pk=rule.pk).update(expr=expr)  # as an older release took it
    evaluate(tenant, clock)
    assert AlertInstance.objects.for_tenant(tenant).get().annotations == {}


def test_each_of_several_alerts_tells_of_its_own_series(tenant, clock):
    for host in "ab":
        write(tenant, clock, ordinary(HISTORY), host)
    made = make_models(tenant, clock)
    learn(made, clock)
    clock.advance(minutes=1)
    write(tenant, clock, [80.0], "b")
    clock.advance(minutes=-1)
    minute(tenant, clock, 60.0)
    first, second = alerts_of(tenant, "anomaly_score > 1", clock)
    assert 'load{host="a"} is 60' in first.annotations["explanation"]
    assert 'load{host="b"} is 80' in second.annotations["explanation"]
    assert 'host="b"' not in first.annotations["explanation"]


def test_without_a_model_the_robust_detector_is_named(tenant, clock):
    write(tenant, clock, ordinary(HISTORY))
    make_models(tenant, clock)
    minute(tenant, clock, 60.0)
    [alert] = alerts_of(tenant, "anomaly_score > 1", clock)
    assert "Scored by robust_zscore: no model was learned yet." in alert.annotations["explanation"]


def test_an_anomaly_that_lasts_is_one_and_the_next_is_another(tenant, clock, group):
    minute(tenant, clock, 60.0)
    first = SeenAnomaly.objects.for_tenant(tenant).get()
    minute(tenant, clock, 59.0)
    same = SeenAnomaly.objects.for_tenant(tenant).get()
    assert (same.started_at, same.at, same.value) == (first.started_at, first.at, 60.0)
    assert same.last_at - first.last_at == timedelta(minutes=1)
    for _ in range(8):
        minute(tenant, clock, 10.0)
    assert state_of(group) == ("active", "")
    assert anomalies_seen(tenant.pk, clock.now(), groups=None) == []
    minute(tenant, clock, 70.0)
    other = SeenAnomaly.objects.for_tenant(tenant).get()
    assert other.started_at == other.at == clock.now()
    assert other.value == 70.0
    assert [one.value for one in anomalies_seen(tenant.pk, clock.now(), groups={"hosts"})] == [70.0]
    assert anomalies_seen(tenant.pk, clock.now(), groups={"others"}) == []


def test_an_anomaly_that_grows_is_explained_anew(tenant, clock, group):
    minute(tenant, clock, 20.0)
    began = SeenAnomaly.objects.for_tenant(tenant).get()
    minute(tenant, clock, 500.0)
    grown = SeenAnomaly.objects.for_tenant(tenant).get()
    assert (grown.started_at, grown.value) == (began.started_at, 500.0)
    assert grown.score > 1.5 * began.score
    assert grown.reasons


def test_a_model_that_cannot_explain_still_scores(tenant, clock, group, monkeypatch):
    def fail(*_):
        raise ValueError("no reasons")

    monkeypatch.setattr("ml.detectors.ewma.EwmaModel.explain", fail)
    assert minute(tenant, clock, 60.0).samples == 4
    assert SeenAnomaly.objects.for_tenant(tenant).get().reasons == []


def test_a_version_that_is_gone_leaves_what_was_seen(tenant, clock, group):
    minute(tenant, clock, 60.0)
    groups.delete_group(make_models(tenant, clock, name="other"), Author("alice", clock.now()))
    group.versions.all().delete()
    [seen] = anomalies_seen(tenant.pk, clock.now(), groups=None)
    assert seen.version is None


def test_a_condition_makes_the_group_whose_score_fires_an_alert_that_can_be_explained(tenant, clock):
    write(tenant, clock, ordinary(HISTORY))
    draft = RuleDraft(
        name="Strange load",
        condition={"type": "anomaly", "selector": "load", "detector": "ewma"},
        annotations={
            "summary": "{{ $labels.metric }} scores {{ $value }}, expected "
            "{{ with query (printf `anomaly_expected{model_group='%s'}` $labels.model_group) }}"
            "{{ . | first | value }}{{ end }}"
        },
    )
    authoring.save_rule(make_group(tenant, interval_s=60), draft, Author("alice", clock.now()))
    group = ModelGroup.objects.for_tenant(tenant).get()
    assert learn(group, clock).status == "champion"
    for _ in range(2):
        minute(tenant, clock, 60.0)
    evaluate(tenant, clock)
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert alert.labels["model_group"] == group.name
    fired = AlertTransition.objects.for_tenant(tenant).filter(alert_id=alert.pk).first()
    assert "load scores" in fired.annotations["summary"]
    assert "is 60, expected" in fired.annotations["explanation"]
    version, [told] = explain(group, clock.now_ms(), now_ms=clock.now_ms())
    assert told.score > 1
    assert told.reasons
    assert version.trained_until


def test_a_group_that_is_removed_while_it_is_scored_disturbs_nobody(tenant, clock, group, monkeypatch):
    """Its anomalies have nothing to belong to; the pass goes on."""

    def explained_too_late(*_):
        ModelGroup.objects.for_tenant(tenant).all().delete()
        return []

    monkeypatch.setattr("ml.detectors.ewma.EwmaModel.explain", explained_too_late)
    assert minute(tenant, clock, 60.0).failed == 0
    assert not SeenAnomaly.objects.for_tenant(tenant).exists()
