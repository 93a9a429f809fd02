"""The admin: an operator's pages, and who may not see them."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from rules.models import Rule, RuleVersion
from tests.factories.rows import make_group, make_receiver, make_rule, make_user

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


def test_staff_without_platform_scope_is_refused(client, acme):
    client.force_login(make_user("staff", is_staff=True))

    assert client.get(reverse("admin:index")).status_code == 403


def test_every_model_with_a_tenant_is_in_the_admin_or_has_a_reason():
    inner = {"RuleVersion", "ShardLayout", "Shard", "DeliveryAttempt", "Membership", "Quota", "SeriesBlock"}
    ours = [model for model in apps.get_models() if model.__module__.startswith(("rules.", "alertsite."))]

    assert {model.__name__ for model in ours if model not in admin.site._registry} == inner | {"Wake"}


def test_action_tells_what_rules_would_have_done(operator_pages, acme):
    good = make_rule(make_group(acme, interval_s=3600), name="Good")
    values = {"action": "backtest", "_selected_action": [str(good.pk)]}

    page = operator_pages.post("/admin/rules/rule/", values, follow=True)

    assert "Good: 0 transitions, 0 notifications, 0 alert minutes in 2" in page.content.decode()
    good.refresh_from_db()
    assert good.version == 1
