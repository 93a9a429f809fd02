"""The admin: an operator's pages, and who may not see them."""

from __future__ import annotations

from base64 import b64decode
from html import unescape

import numpy as np
import pytest
from django.apps import apps
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from alertsite.core.clock import SystemClock
from alertsite.core.labels import label_set
from rules.models import AlertInstance, OutboxMessage, Receiver, Route, Rule, RuleVersion, Silence
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store
from tests.factories.notifying import make_route, post
from tests.factories.rows import make_group, make_receiver, make_rule, make_tenant, make_transition, make_user

RULE = {
    "name": "Busy",
    "kind": "alerting",
    "state": "active",
    "severity": "high",
    "category": "",
    "position": "0",
    "expr": "cpu_usage > 80",
    "condition": "null",
    "recovery_expr": "",
    "hold_for_s": "60",
    "keep_firing_for_s": "0",
    "labels": "{}",
    "annotations": "{}",
    "no_data_policy": "ok",
    "error_policy": "keep_state",
    "alert_limit": "0",
    "versions-TOTAL_FORMS": "0",
    "versions-INITIAL_FORMS": "0",
}


@pytest.fixture
def operator_pages(client, acme):
    client.force_login(make_user("operator", is_superuser=True, is_staff=True))
    return client


@pytest.mark.parametrize(
    "model", [model for model in admin.site._registry if model._meta.app_label != "auth"]
)
def test_every_list_page_opens(operator_pages, acme, model):
    make_rule(make_group(acme))
    make_receiver(acme)
    meta = model._meta

    assert (
        operator_pages.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")).status_code == 200
    )


def test_rule_saved_on_its_page_is_a_version(operator_pages, acme):
    group = make_group(acme)
    answer = operator_pages.post(reverse("admin:rules_rule_add"), RULE | {"group": str(group.pk)})

    assert answer.status_code == 302, answer.context["errors"]
    rule = Rule.objects.for_tenant(acme).get()
    versions = RuleVersion.objects.for_tenant(acme).values_list("rule_id", "version", "author")
    assert list(versions) == [(rule.pk, 1, "operator")]


def test_fault_stands_at_its_field_and_nothing_is_stored(operator_pages, acme):
    group = make_group(acme)
    answer = operator_pages.post(
        reverse("admin:rules_rule_add"), RULE | {"group": str(group.pk), "expr": "sum(("}
    )

    assert "parse error" in str(answer.context["adminform"].form.errors["expr"])
    assert not Rule.objects.for_tenant(acme).exists()


def test_receiver_page_never_shows_a_secret(operator_pages, acme):
    secret = {"signing_key": "0123456789abcdef-secret"}
    receiver = make_receiver(acme, kind="webhook", config={"url": "https://example.org/"}, secrets=secret)

    page = operator_pages.get(reverse("admin:rules_receiver_change", args=[receiver.pk]))

    assert page.status_code == 200
    assert secret["signing_key"] not in page.content.decode()


def receiver_form(tenant, **values):
    return {
        "tenant": str(tenant.pk),
        "name": "ops",
        "config": "{}",
        "new_secrets": "",
        "enabled": "on",
    } | values


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        pytest.param({"config": '{"colour": 1}'}, "config", "colour: Extra inputs", id="unknown setting"),
        pytest.param({"config": '{"text": "{{ x }}"}'}, "config", "text: Value error, line 1", id="template"),
        pytest.param({}, "new_secrets", "routing_key: Field required", id="secret that is needed"),
        pytest.param({"kind": "pigeon"}, "kind", "pigeon", id="unknown kind"),
    ],
)
def test_fault_of_a_receiver_stands_at_its_field(operator_pages, acme, values, field, text):
    form = receiver_form(acme, kind="pagerduty") | values
    answer = operator_pages.post(reverse("admin:rules_receiver_add"), form)

    assert text in str(answer.context["adminform"].form.errors[field])
    assert not Receiver.objects.for_tenant(acme).exists()


def test_receiver_form_tells_what_each_kind_needs(operator_pages):
    page = operator_pages.get(reverse("admin:rules_receiver_add")).content.decode()

    assert "<code>routing_key</code> (needed)" in page
    assert "Template of the HTML" in page


def test_receiver_keeps_its_secrets_until_they_would_go_elsewhere(operator_pages, acme):
    receiver = make_receiver(
        acme,
        name="ops",
        kind="alertmanager",
        config={"url": "https://a.example"},
        secrets={"bearer_token": "t"},
    )
    page = reverse("admin:rules_receiver_change", args=[receiver.pk])
    for config, kept in (
        ('{"url": "https://a.example", "firing_for_s": 600}', {"bearer_token": "t"}),
        ('{"url": "https://evil.example"}', {}),
    ):
        answer = operator_pages.post(page, receiver_form(acme, kind="alertmanager", config=config))
        assert answer.status_code == 302, answer.context["errors"]
        receiver.refresh_from_db()
        assert receiver.secrets == kept


def test_receiver_is_previewed_and_tested_on_its_page(operator_pages, acme, monkeypatch):
    monkeypatch.setattr("rules.admin.receivers.sleep", lambda seconds: None)
    receiver = make_receiver(acme, kind="log")
    page = f"/admin/rules/receiver/{receiver.pk}/try"
    assert "no alert of this tenant has fired yet" in operator_pages.get(page, follow=True).content.decode()

    make_transition(acme, labels={"alertname": "DiskFull"})
    assert "[FIRING] DiskFull" in operator_pages.get(page, follow=True).content.decode()
    assert not OutboxMessage.objects.for_tenant(acme).exists()

    answer = operator_pages.post(f"{page}/")
    assert "The test is under way" in answer.content.decode()
    assert OutboxMessage.objects.for_tenant(acme).get().reason == "test"


def test_staff_without_platform_scope_is_refused(client, acme):
    client.force_login(make_user("staff", is_staff=True))

    assert client.get(reverse("admin:index")).status_code == 403


def test_every_model_with_a_tenant_is_in_the_admin_or_has_a_reason():
    inner = {"RuleVersion", "ShardLayout", "Shard", "DeliveryAttempt", "Membership", "Quota", "SeriesBlock"}
    ours = [model for model in apps.get_models() if model.__module__.startswith(("rules.", "alertsite."))]

    assert {model.__name__ for model in ours if model not in admin.site._registry} == inner | {"Size", "Wake"}


def test_action_tells_what_rules_would_have_done(operator_pages, acme):
    good = make_rule(make_group(acme, interval_s=3600), name="Good")
    values = {"action": "backtest", "_selected_action": [str(good.pk)]}

    page = operator_pages.post("/admin/rules/rule/", values, follow=True)

    assert "Good: 0 transitions, 0 notifications, 0 alert minutes in 2" in page.content.decode()
    good.refresh_from_db()
    assert good.version == 1


def test_rule_files_are_imported_with_a_report_for_each_rule(operator_pages, acme):
    page = reverse("admin:rules_rulegroup_import_page")
    assert operator_pages.get(page).status_code == 200
    text = (
        b"groups:\n- name: g\n  rules:\n  - {alert: Good, expr: up == 0}\n  - {alert: Bad, expr: 'sum(('}\n"
    )
    parts = [SimpleUploadedFile("a.yml", text), SimpleUploadedFile("b.yml", b"groups: 1")]

    answer = operator_pages.post(page, {"tenant": str(acme.pk), "rule_files": parts}).content.decode()

    assert list(Rule.objects.for_tenant(acme).values_list("name", flat=True)) == ["Good"]
    assert "1 in the tenant now, 2 refused" in answer
    assert "expr: 1:6: parse error" in answer
    assert "outcome-taken" in answer
    refused = operator_pages.post(
        page, {"tenant": str(acme.pk), "rule_files": [SimpleUploadedFile("c", b"\xff")]}
    )
    assert "is not UTF-8" in refused.content.decode()


@pytest.mark.parametrize(
    ("form", "begins"),
    [("prometheus", "groups:"), ("json", "{"), ("csv", "group,"), ("terraform", "resource")],
)
def test_selected_groups_are_exported(operator_pages, acme, form, begins):
    groups = [make_group(acme, name) for name in ("one", "two", "left")]
    for group in groups:
        make_rule(group, name=f"Of{group.name}")
    values = {"action": f"export_{form}", "_selected_action": [str(one.pk) for one in groups[:2]]}

    answer = operator_pages.post(reverse("admin:rules_rulegroup_changelist"), values)

    assert answer["Content-Disposition"].startswith('attachment; filename="rules-acme.')
    text = answer.content.decode()
    assert text.startswith(begins)
    assert ("Ofone" in text, "Oftwo" in text, "Ofleft" in text) == (True, True, False)


def test_groups_of_several_tenants_are_not_exported_into_one_file(operator_pages, acme):
    groups = [make_group(acme), make_group(make_tenant("other"))]
    values = {"action": "export_json", "_selected_action": [str(one.pk) for one in groups]}

    page = operator_pages.post(reverse("admin:rules_rulegroup_changelist"), values, follow=True)

    assert "the groups are of several tenants: acme, other" in page.content.decode()


def test_back_test_page_draws_what_the_rule_would_have_done(operator_pages, acme):
    now_ms = SystemClock().now_ms()
    times = np.arange(now_ms - 1_800_000, now_ms, 60_000)
    values = np.where(np.arange(len(times)) < 15, 0.0, 9.0)
    sets = [label_set({"__name__": "load", "host": "<b>"})]
    hot_store(acme.pk).append(SampleBatch(sets, np.zeros(len(times), int), times, values), now_ms=now_ms)
    rule = make_rule(make_group(acme, interval_s=60), name="Busy", expr="load > 5")
    page = reverse("admin:rules_rule_backtest_page", args=[rule.pk])

    shown = operator_pages.get(page, {"hours": "1"}).content.decode()

    assert "1 transitions, 1 notifications" in shown
    assert "inactive → firing" in shown
    assert "host=&quot;&lt;b&gt;&quot;" in shown
    svg = b64decode(shown.split("data:image/svg+xml;base64,")[1].split('"')[0])
    assert svg.startswith(b"<svg")
    assert "at least 1s" not in shown
    assert "Ensure this value" in operator_pages.get(page, {"hours": "0"}).content.decode()
    assert (
        "from start to end at this step"
        in operator_pages.get(page, {"hours": "744", "step_s": "1"}).content.decode()
    )


def test_route_and_silence_are_made_on_their_pages_and_faults_stand_at_their_fields(operator_pages, acme):
    receiver = make_receiver(acme)
    form = {"tenant": str(acme.pk), "receiver": str(receiver.pk), "matchers": "", "position": "0"}
    made = operator_pages.post(reverse("admin:rules_route_add"), form)
    assert made.status_code == 302, made.context["errors"]
    root = Route.objects.for_tenant(acme).get()
    child = form | {"parent": str(root.pk), "matchers": "a=~("}
    refused = operator_pages.post(reverse("admin:rules_route_add"), child)
    assert "regular expression" in str(refused.context["adminform"].form.errors["matchers"])

    silence = {
        "tenant": str(acme.pk),
        "kind": "silence",
        "matchers": 'n="1"\r\n\r\njob=~"api|web"',
        "starts_at_0": "2026-01-01",
        "starts_at_1": "00:00:00",
        "ends_at_0": "2099-01-01",
        "ends_at_1": "00:00:00",
        "timezone": "UTC",
        "comment": "works",
    }
    made = operator_pages.post(reverse("admin:rules_silence_add"), silence)
    assert made.status_code == 302, made.context["errors"]
    stored = Silence.objects.for_tenant(acme).get()
    assert (stored.author, stored.matchers) == ("operator", ['n="1"', 'job=~"api|web"'])


def written(page, name: str) -> str:
    """What stands in a text area of a page."""
    return unescape(
        page.content.decode().split(f'name="{name}"')[1].split(">")[1].split("</textarea")[0]
    ).strip()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("silence", "matchers"),
        ("route", "matchers"),
        ("route", "group_by"),
        ("inhibitionrule", "source_matchers"),
        ("escalationpolicy", "steps"),
    ],
)
def test_what_is_not_filled_in_yet_is_empty_on_its_page(operator_pages, acme, model, name):
    assert written(operator_pages.get(reverse(f"admin:rules_{model}_add")), name) == ""


def test_a_silence_like_an_alert_is_filled_in_one_matcher_a_line(operator_pages, acme):
    make_route(acme)
    post(acme, {"n": 'a "b"\nc'})
    alert = AlertInstance.objects.for_tenant(acme).get()
    page = operator_pages.get(reverse("admin:rules_alertinstance_change", args=[alert.pk])).content.decode()
    link = unescape(page.split('">Silence alerts like this')[0].rsplit('href="', 1)[1])
    assert written(operator_pages.get(link), "matchers") == 'alertname="A"\nn="a \\"b\\"\\nc"'


def test_a_route_shows_its_lists_as_they_are_written(operator_pages, acme):
    root = make_route(acme)
    route = make_route(acme, parent=root, matchers=['a="1"', 'b!~"x"'])
    page = operator_pages.get(reverse("admin:rules_route_change", args=[route.pk]))
    assert written(page, "matchers") == 'a="1"\nb!~"x"'
    silence = {"tenant": str(acme.pk), "matchers": " \n", "comment": "?"}
    refused = operator_pages.post(reverse("admin:rules_silence_add"), silence)
    assert "required" in str(refused.context["adminform"].form.errors["matchers"])


def test_alerts_are_acknowledged_and_tell_their_story(operator_pages, acme):
    make_route(acme)
    post(acme, {"n": "1"})
    alert = AlertInstance.objects.for_tenant(acme).get()
    values = {"action": "acknowledge", "_selected_action": [str(alert.pk)]}
    operator_pages.post("/admin/rules/alertinstance/", values, follow=True)
    page = operator_pages.get(reverse("admin:rules_alertinstance_change", args=[alert.pk])).content.decode()
    assert "operator acknowledged it." in page
    assert "L&#x27;alerte s&#x27;est déclenchée" in page
