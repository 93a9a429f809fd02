"""Datasources over REST, in rule files and in the admin."""

from __future__ import annotations

import pytest
from django.urls import reverse

from rules.models import Datasource, Rule, RuleGroup
from rules.services.datasources import MAX_DATASOURCES
from tests.factories.rows import make_group, make_rule, make_user
from tests.fakes.prometheus import prometheus_server
from tests.unit.language.store import store_of

BODY = {"name": "far", "url": "https://mimir.example.org/prometheus"}


def make(client, **values):
    answer = client.post("/api/datasources/", BODY | values, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_secrets_are_written_and_never_read(alice, acme):
    made = make(
        alice, auth="basic", secrets={"user": "u", "password": "hunter2"}, headers={"X-Scope-OrgID": "a"}
    )

    assert "secrets" not in made
    assert "hunter2" not in alice.get("/api/datasources/").content.decode()
    row = Datasource.objects.for_tenant(acme).get()
    assert row.secrets == {"user": "u", "password": "hunter2"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"url": "ftp://a/"}, "url", id="scheme"),
        pytest.param({"url": "http://u:p@a/"}, "url", id="credentials in the URL"),
        pytest.param({"url": "http://a/?x=1"}, "url", id="query in the URL"),
        pytest.param({"auth": "bearer"}, "secrets", id="no token"),
        pytest.param({"auth": "bearer", "secrets": {"token": "a\nb"}}, "secrets", id="header injection"),
        pytest.param({"secrets": {"token": "x"}}, "secrets", id="token that is not used"),
        pytest.param({"headers": {"Authorization": "x"}}, "headers", id="our own header"),
        pytest.param({"headers": {"X-A": "a\r\nX-B: b"}}, "headers", id="header in a header"),
        pytest.param({"timeout_s": 60}, "timeout_s", id="longer than a pass may wait"),
        pytest.param({"auth": "magic"}, "auth", id="unknown proof"),
    ],
)
def test_what_could_not_be_asked_is_refused_by_field(alice, values, field):
    answer = alice.post("/api/datasources/", BODY | values, format="json")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_secrets_are_not_sent_to_another_url(alice, acme):
    made = make(alice, auth="bearer", secrets={"token": "t"})
    path = f"/api/datasources/{made['id']}/"

    refused = alice.patch(path, {"url": "https://evil.example.org"}, format="json")

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["secrets"])
    assert alice.patch(path, {"timeout_s": 3}, format="json").status_code == 200
    assert Datasource.objects.for_tenant(acme).get().secrets == {"token": "t"}


def test_a_tenant_has_a_bounded_number(alice):
    for number in range(MAX_DATASOURCES):
        make(alice, name=f"far {number}")

    assert alice.post("/api/datasources/", BODY, format="json").status_code == 400


def test_trying_says_what_came(alice, settings):
    with prometheus_server(store_of({})) as server:
        made = make(alice, url=f"http://127.0.0.1:{server.server_port}")
        path = f"/api/datasources/{made['id']}/test/"
        refused = alice.post(path).json()
        settings.ALLOW_PRIVATE_WEBHOOKS = True
        tried = alice.post(path).json()

    assert tried == {"ok": True, "version": "2.99.0", "value": 1.0, "error": ""}
    assert refused["ok"] is False
    assert "not public" in refused["error"]


def test_rules_and_groups_name_it_and_keep_it_from_being_deleted(alice, acme):
    made = make(alice)
    group = alice.post("/api/rule-groups/", {"name": "g", "datasource": made["id"]}, format="json").json()
    body = {"group": group["id"], "name": "Down", "expr": "nothing_here == 0", "for": "1m"}
    rule = alice.post("/api/rules/", body | {"datasource": made["id"]}, format="json").json()

    assert (group["datasource"], rule["datasource"]) == (made["id"], made["id"])
    assert rule["warnings"] == []  # which series there are elsewhere is not known
    assert alice.delete(f"/api/datasources/{made['id']}/").status_code == 409
    assert (
        alice.patch(f"/api/rules/{rule['id']}/", {"datasource": None}, format="json").json()["datasource"]
        is None
    )
    alice.delete(f"/api/rule-groups/{group['id']}/")
    assert alice.delete(f"/api/datasources/{made['id']}/").status_code == 204


def test_nobody_names_a_datasource_of_another_tenant(alice, charlie, acme):
    made = make(charlie)
    group = make_group(acme)
    body = {"group": str(group.pk), "name": "Down", "expr": "up == 0", "datasource": made["id"]}

    assert list(alice.post("/api/rules/", body, format="json").json()["errors"]) == ["datasource"]
    answer = alice.patch(f"/api/rule-groups/{group.pk}/", {"datasource": made["id"]}, format="json")
    assert list(answer.json()["errors"]) == ["datasource"]


FILE = """
groups:
  - name: all
    alertsite: {datasource: far}
    rules: [{alert: Down, expr: up == 0}]
  - name: one
    rules:
      - {alert: Far, expr: up == 0, alertsite: {datasource: far}}
      - {alert: Lost, expr: up == 0, alertsite: {datasource: nowhere}}
      - {alert: Near, expr: up == 0}
"""


def test_files_name_datasources_and_exports_keep_or_report_them(alice, acme):
    make(alice)
    report = alice.generic(
        "POST", "/api/rules/import/", FILE.encode(), content_type="application/yaml"
    ).json()

    refused = [rule for rule in report["rules"] if rule["outcome"] == "refused"]
    assert [(one["rule"], one["notes"]) for one in refused] == [
        ("Lost", ["datasource: the tenant has no datasource 'nowhere'"])
    ]
    named = Rule.objects.for_tenant(acme).filter(datasource__name="far").values_list("name", flat=True)
    assert list(named) == ["Far"]
    assert RuleGroup.objects.for_tenant(acme).get(datasource__name="far").name == "all"
    exported = alice.get("/api/rules/export/?format_=json").content
    again = alice.generic("POST", "/api/rules/import/", exported, content_type="application/json").json()
    assert [rule["outcome"] for rule in again["rules"]] == ["taken"] * 3
    assert alice.get("/api/rules/export/?format_=json").content == exported
    plain = alice.get("/api/rules/export/").content.decode()
    assert "# all/Down is answered by far, which is not said here\n# one/Far is answered by far" in plain


def test_alerts_of_an_imported_rule_have_the_labels_that_prometheus_gives_them(alice, acme):
    text = """
        groups:
          - name: g
            rules:
              - {alert: Plain, expr: up == 0}
              - {alert: Own, expr: up == 0, labels: {severity: page}}
    """
    report = alice.generic(
        "POST", "/api/rules/import/", text.encode(), content_type="application/yaml"
    ).json()

    assert [(one["outcome"], one["notes"]) for one in report["rules"]] == [
        ("taken", []),
        ("changed", ["severity 'page' counts as critical; the label stays"]),
    ]
    assert list(Rule.objects.for_tenant(acme).values_list("name", "severity")) == [
        ("Plain", ""),
        ("Own", "critical"),
    ]
    assert "severity: medium" not in alice.get("/api/rules/export/").content.decode()


@pytest.fixture
def operator_pages(client, acme):
    client.force_login(make_user("operator", is_superuser=True, is_staff=True))
    return client


def test_admin_saves_tries_and_never_shows_a_secret(operator_pages, acme, settings):
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    with prometheus_server(store_of({})) as server:
        form = {
            "tenant": str(acme.pk),
            "name": "far",
            "url": f"http://127.0.0.1:{server.server_port}",
            "auth": "bearer",
            "new_secrets": '{"token": "0123456789"}',
            "headers": "{}",
            "timeout_s": "5",
            "enabled": "on",
        }
        added = operator_pages.post(reverse("admin:rules_datasource_add"), form)
        assert added.status_code == 302, added.context["errors"]
        row = Datasource.objects.for_tenant(acme).get()
        page = reverse("admin:rules_datasource_change", args=[row.pk])
        assert "0123456789" not in operator_pages.get(page).content.decode()
        moved = operator_pages.post(page, form | {"new_secrets": "", "url": "https://evil.example.org"})
        assert "with auth" in str(moved.context["adminform"].form.errors["new_secrets"])
        action = {"action": "ask", "_selected_action": [str(row.pk)]}
        told = operator_pages.post(reverse("admin:rules_datasource_changelist"), action, follow=True)

    assert "far: answers, version 2.99.0" in told.content.decode()
    rule = make_rule(make_group(acme), datasource_id=str(row.pk))
    assert operator_pages.get(reverse("admin:rules_rule_change", args=[rule.pk])).status_code == 200
