"""Model groups by REST: made, previewed, trained, explained, rolled back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.labels import label_set
from alertsite.tenancy.models import Quota
from ml.models import DriftEvent, ModelGroup
from ml.services import training
from rules.models import Rule
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store
from tests.factories.rows import make_group

GROUP = {
    "name": "hosts", "selector": "load", "warm_up": "30m", "season": "1h", "retrain_interval": "1h",
}  # fmt: skip
SPIKE = slice(-12, -10)


@pytest.fixture
def last_ms(acme) -> int:
    """Four hours of a metric with a spike ten minutes ago."""
    Quota.objects.filter(pk=acme.pk).update(lateness_s=86_400)
    now_ms = SystemClock().now_ms()
    last_ms = now_ms // 60_000 * 60_000
    values = np.random.default_rng(1).normal(10.0, 0.5, 240)
    values[SPIKE] = 60.0
    batch = SampleBatch(
        [label_set({"__name__": "load", "host": "a"})],
        np.zeros(240, np.int64),
        last_ms - 60_000 * np.arange(240)[::-1],
        values,
    )
    assert hot_store(acme.pk).append(batch, now_ms=now_ms).accepted == 240
    return last_ms


@pytest.fixture
def made(alice, last_ms) -> dict:
    answer = alice.post("/api/model-groups/", GROUP, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_a_preview_finds_the_spike_and_draws_it_and_saves_nothing(alice, acme, last_ms):
    span = {"start": to_datetime(last_ms - 30 * 60_000), "end": to_datetime(last_ms)}
    answer = alice.post("/api/model-groups/preview/", GROUP | span, format="json")
    assert answer.status_code == 200, answer.json()
    found = answer.json()
    assert found["events"][0]["peak"] > 1
    assert found["events"][0]["labels"] == {"__name__": "load", "host": "a"}
    values, scores = found["plots"]
    assert 'class="firing"' in values
    assert 'class="band"' in values
    assert 'class="threshold"' in scores
    assert not ModelGroup.objects.for_tenant(acme).exists()


def test_a_group_is_trained_explained_and_rolled_back(alice, bob, acme, made, last_ms):
    path = f"/api/model-groups/{made['id']}"
    assert (made["state"], made["detector"], made["step"]) == ("warming", "auto", "1m")
    assert alice.post(f"{path}/train/").status_code == 202
    for _ in range(2):
        training.train_group(acme.pk, made["id"], SystemClock())
    told = alice.get(f"{path}/explain/", {"at": to_datetime(last_ms).isoformat()}).json()
    assert told["version"]["number"] == 2
    assert told["series"][0]["reasons"][0]["feature"]
    newest, first = alice.get("/api/model-versions/").json()["results"]
    assert [newest["status"], first["status"]] == ["champion", "retired"]
    assert newest["parent"] == first["id"]
    assert bob.post(f"/api/model-versions/{newest['id']}/rollback/").status_code == 403
    assert alice.post(f"/api/model-versions/{newest['id']}/shadow/").status_code == 409
    assert alice.post(f"/api/model-versions/{first['id']}/shadow/").json()["status"] == "challenger"
    assert alice.post(f"/api/model-versions/{first['id']}/retire/").json()["shadow"] == {}
    assert alice.post(f"/api/model-versions/{newest['id']}/rollback/").json()["number"] == 1
    assert alice.post(f"/api/model-versions/{newest['id']}/rollback/").status_code == 409
    assert alice.post(f"/api/model-versions/{newest['id']}/promote/").json()["status"] == "champion"
    assert alice.post(f"/api/model-versions/{newest['id']}/retire/").json()["status"] == "retired"
    assert alice.get(f"{path}/explain/").status_code == 409
    assert alice.delete(f"{path}/").status_code == 204


def test_drift_and_thresholds_are_told(alice, acme, made):
    training.train_group(acme.pk, made["id"], SystemClock())
    version = alice.get("/api/model-versions/").json()["results"][0]
    DriftEvent.objects.for_tenant(acme).create(
        tenant=acme, group_id=made["id"], version_id=version["id"], subject="values", psi=0.5, bound=0.25,
        training_asked=True, at=to_datetime(SystemClock().now_ms()),
    )  # fmt: skip
    [told] = alice.get("/api/drift-events/", {"group": made["id"]}).json()["results"]
    assert (told["subject"], told["psi"], told["training_asked"]) == ("values", 0.5, True)
    assert made["threshold_scale"] == 1.0
    assert version["quality"]["learned_in_s"] >= 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"detector": "kmeans"}, "detector", id="detector"),
        pytest.param({"selector": "sum(load)"}, "selector", id="selector"),
        pytest.param({"sensitivity": 0}, "sensitivity", id="sensitivity"),
        pytest.param({"direction": "left"}, "direction", id="direction"),
    ],
)
def test_what_cannot_be_scored_is_refused_at_its_field(alice, acme, change, field):
    answer = alice.post("/api/model-groups/", GROUP | change, format="json")
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_groups_of_forecasts_and_incidents_are_made_with_their_terms(alice, acme):
    forecasts = {"name": "days", "kind": "forecast", "selector": "load", "detector": "boosted"}
    made = alice.post(
        "/api/model-groups/", forecasts | {"horizons": ["1h", "1d"], "threshold": 90}, format="json"
    )
    assert made.status_code == 201, made.json()
    assert made.json()["horizons"] == ["1h", "1d"]
    incidents = {"name": "chances", "kind": "incident", "service_label": "service"}
    assert alice.post("/api/model-groups/", incidents, format="json").status_code == 201
    refused = alice.post("/api/model-groups/", forecasts | {"name": "b", "horizons": ["90s"]}, format="json")
    assert refused.status_code == 400
    assert "horizons_s" in str(refused.json())


def test_alerts_are_foretold_by_readers_too(bob, acme):
    asked = {"metrics": {"queue": 400, "load": [1, 2.5]}, "horizon": "12h"}
    answer = bob.post("/api/predictions/", asked, format="json")
    assert answer.status_code == 200, answer.json()
    assert set(answer.json()) == {"alert_probability", "predicted_alerts", "drivers", "trust"}
    assert bob.post("/api/predictions/", {"metrics": {"a": "x"}}, format="json").status_code == 400
    assert bob.post("/api/predictions/", {"horizon": "1m"}, format="json").status_code == 400


def test_a_rule_on_an_anomaly_makes_its_model_group_or_finds_it(alice, acme, last_ms):
    group = alice.post("/api/rule-groups/", {"name": "anomalies"}, format="json").json()
    condition = {"type": "anomaly", "selector": "load", "detector": "ewma", "sensitivity": 1.5}
    draft = {"group": group["id"], "name": "Strange", "condition": condition}
    rule = alice.post("/api/rules/", draft, format="json")
    assert rule.status_code == 201, rule.json()
    made = ModelGroup.objects.for_tenant(acme).get()
    assert (made.selector, made.detector, made.sensitivity) == ("load", "ewma", 1.5)
    assert rule.json()["expr"] == f'anomaly_score{{model_group="{made.name}"}} > 1'
    assert alice.post("/api/rules/", draft | {"name": "Again"}, format="json").status_code == 201
    assert ModelGroup.objects.for_tenant(acme).count() == 1


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param({"type": "anomaly", "model_group": "nobody"}, id="no such group"),
        pytest.param({"type": "anomaly", "selector": "sum(load)"}, id="no selector"),
        pytest.param({"type": "anomaly", "selector": "load", "detector": "kmeans"}, id="of hosts"),
        pytest.param({"type": "anomaly", "selector": "x", "model_group": "hosts"}, id="another's name"),
    ],
)
def test_a_rule_on_an_anomaly_that_cannot_be_scored_is_refused_whole(alice, acme, made, condition):
    group = alice.post("/api/rule-groups/", {"name": "anomalies"}, format="json").json()
    draft = {"group": group["id"], "name": "Strange", "condition": condition}
    answer = alice.post("/api/rules/", draft, format="json")
    assert answer.status_code == 400, answer.json()
    assert "condition" in answer.json()["errors"]
    assert ModelGroup.objects.for_tenant(acme).count() == 1


def test_the_admin_previews_a_group_with_events_and_plot(made, last_ms, admin_client):
    page = admin_client.get(f"/admin/ml/modelgroup/{made['id']}/preview/", {"hours": 1})
    assert page.status_code == 200
    text = page.content.decode()
    assert "1 event in 1 series" in text
    assert text.count("data:image/svg+xml;base64,") == 2


def form_of(acme, **values) -> dict:
    """What the admin's form of a group sends."""
    usual = {"tenant": str(acme.pk), "kind": "anomaly", "detector": "ewma", "direction": "both"}
    numbers = {"sensitivity": "1", "min_deviation": "0", "season_s": "3600", "warm_up_s": "1800"}
    steps = {"step_s": "60", "retrain_interval_s": "3600", "horizons_s": "[3600]"}
    return usual | numbers | steps | {"name": "hosts", "selector": "load", "hours": "1"} | values


def test_the_admin_previews_a_group_that_is_not_saved(acme, last_ms, admin_client):
    page = admin_client.post("/admin/ml/modelgroup/draft/", form_of(acme))
    assert page.status_code == 200
    assert "1 event in 1 series" in page.content.decode()
    assert not ModelGroup.across_tenants.exists()
    page = admin_client.post("/admin/ml/modelgroup/draft/", form_of(acme, selector="sum(load)"))
    assert "is not an instant vector selector" in page.content.decode()
    assert admin_client.get("/admin/ml/modelgroup/draft/").status_code == 403


def test_the_admin_previews_changes_of_a_group_and_keeps_what_is_saved(made, acme, last_ms, admin_client):
    changed = form_of(acme, detector="robust_zscore")
    page = admin_client.post(f"/admin/ml/modelgroup/draft/?object={made['id']}", changed)
    assert "robust_zscore: load" in page.content.decode()
    assert ModelGroup.across_tenants.get().detector == "auto"


RULE = {
    "name": "Strange", "kind": "alerting", "state": "active", "severity": "high", "category": "",
    "position": "0", "expr": "", "condition": "null", "recovery_expr": "", "hold_for_s": "0",
    "keep_firing_for_s": "0", "labels": "{}", "annotations": "{}", "no_data_policy": "ok",
    "error_policy": "keep_state", "alert_limit": "0", "versions-TOTAL_FORMS": "0",
    "versions-INITIAL_FORMS": "0", "anomaly_sensitivity": "1", "anomaly_direction": "both",
    "anomaly_min_deviation": "0", "anomaly_threshold": "1",
}  # fmt: skip


def test_the_rule_form_offers_model_groups_and_saves_an_anomaly(made, acme, admin_client):
    group = make_group(acme)
    assert 'value="hosts">hosts (' in admin_client.get("/admin/rules/rule/add/").content.decode()
    chosen = RULE | {"group": str(group.pk), "anomaly_model_group": "hosts", "anomaly_threshold": "1.5"}
    answer = admin_client.post("/admin/rules/rule/add/", chosen)
    assert answer.status_code == 302, answer.context["errors"]
    rule = Rule.objects.for_tenant(acme).get()
    assert rule.expr == 'anomaly_score{model_group="hosts"} > 1.5'
    page = admin_client.get(f"/admin/rules/rule/{rule.pk}/change/").content.decode()
    assert 'value="hosts" selected' in page
    again = chosen | {"condition": json.dumps(rule.condition), "expr": rule.expr, "anomaly_threshold": "2"}
    answer = admin_client.post(f"/admin/rules/rule/{rule.pk}/change/", again)
    assert answer.status_code == 302, answer.context["errors"]
    assert Rule.objects.for_tenant(acme).get().expr == 'anomaly_score{model_group="hosts"} > 2'


def test_the_rule_form_makes_the_group_of_series_to_watch(acme, last_ms, admin_client):
    chosen = RULE | {"group": str(make_group(acme).pk), "anomaly_selector": "load"}
    assert admin_client.post("/admin/rules/rule/add/", chosen).status_code == 302
    made = ModelGroup.objects.for_tenant(acme).get()
    assert made.selector == "load"
    wider = chosen | {"name": "Stranger", "anomaly_threshold": "3"}
    assert admin_client.post("/admin/rules/rule/add/", wider).status_code == 302
    assert ModelGroup.objects.for_tenant(acme).count() == 1, "the threshold is the rule's, not the group's"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"anomaly_model_group": "hosts"}, "1 event in 1 series", id="a group"),
        pytest.param({"anomaly_selector": "nothing"}, "none of 0 series has", id="no history"),
        pytest.param({"anomaly_model_group": "hosts", "hold_for_s": "600"}, "0 events in", id="held for"),
        pytest.param(
            {"anomaly_model_group": "hosts", "anomaly_threshold": "999"}, "0 events in", id="threshold"
        ),
        pytest.param({"expr": "load > 1"}, "The rule has no anomaly", id="no anomaly"),
        pytest.param({"anomaly_selector": "load", "name": ""}, "This field is required", id="a fault"),
    ],
)
def test_the_rule_form_previews_an_anomaly_and_saves_nothing(made, acme, admin_client, change, told):
    form = RULE | {"group": str(make_group(acme).pk), "hours": "1"} | change
    page = admin_client.post("/admin/rules/rule/anomaly/", form)
    assert page.status_code == 200
    assert told in page.content.decode()
    assert not Rule.objects.for_tenant(acme).exists()
    assert ModelGroup.objects.for_tenant(acme).count() == 1


def test_an_anomaly_is_said_in_a_sentence_by_rest_and_in_the_form(alice, acme, last_ms, admin_client):
    group = make_group(acme)
    draft = {"group": group.pk, "name": "Said", "sentence": "tell me when load is unusually high for 2m"}
    answer = alice.post("/api/rules/", draft, format="json")
    assert answer.status_code == 201, answer.json()
    assert (answer.json()["condition"]["direction"], answer.json()["for"]) == ("up", "2m")
    made = ModelGroup.objects.for_tenant(acme).get()
    assert (made.selector, made.direction) == ("load", "up")
    refused = alice.post("/api/rules/", draft | {"name": "No", "sentence": "load is fine"}, format="json")
    assert "unusually high" in str(refused.json()["errors"]["sentence"])

    form = RULE | {"group": str(group.pk), "anomaly_sentence": "load is unusually high for 90s"}
    answer = admin_client.post("/admin/rules/rule/add/", form)
    assert answer.status_code == 302, answer.context["errors"]
    rule = Rule.objects.for_tenant(acme).get(name="Strange")
    assert (rule.condition["direction"], rule.hold_for_s) == ("up", 90)
    answer = admin_client.post("/admin/rules/rule/add/", form | {"anomaly_sentence": "load is fine"})
    assert "unusually high" in str(answer.context["errors"])
