"""Nobody meets another tenant: every route walked as an outsider, and the fence in PostgreSQL."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import tenant_scope
from alertsite.tenancy.services import create_api_key
from rules.models import Receiver, Rule, RuleGroup
from tests.factories.rows import make_group, make_receiver, make_rule, make_tenant

OPEN = {"", "healthz", "readyz", "metrics", "docs", "api/schema/", "api/token/", "api/token/refresh/"}
TOKENED = {
    "act/<str:token>/",
    "heal/<str:token>/",
    "ical/<str:token>/schedule.ics",
    "api/heartbeats/<str:token>/",
    "api/heartbeats/<str:token>/start",
    "api/heartbeats/<str:token>/fail",
    "api/hooks/<str:token>/",
}
"""Routes whose address is the credential: whoever knows it may use it, for one tenant's one thing."""
NO_TENANT = {"prometheus/api/v1/format_query"}


def patterns(inside=None, prefix=""):
    """Every route below the root but the admin's, with its pattern."""
    for pattern in inside if inside is not None else get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            if str(pattern.pattern) != "admin/":
                yield from patterns(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), pattern


def routes():
    return (route for route, _ in patterns())


def filled(route: str, acme: Tenant, rule: Rule) -> str:
    path = re.sub("<uuid:[a-z_]+>", str(rule.pk), route)
    path = path.replace("<slug>", acme.slug).replace("<str:slug>", acme.slug)
    return "/" + path.replace("<str:name>", "job")


def test_the_walk_sees_the_routes():
    assert {"api/rules/", "api/rules/<uuid:pk>/", "prometheus/api/v1/query", "api/series/"} <= set(routes())


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_outsider_finds_nothing_of_another_tenant_on_any_route(charlie, acme, method):
    rule = make_rule(make_group(acme, "secret-group"), name="SecretRule")
    make_receiver(acme, name="secret-receiver")
    for route in set(routes()) - OPEN:
        answer = getattr(charlie, method)(filled(route, acme, rule), data={}, format="json")
        assert b"ecret" not in answer.content, route
        if str(rule.pk) in filled(route, acme, rule):
            assert answer.status_code in {403, 404, 405}, (route, answer.status_code)
    rule.refresh_from_db()
    assert Receiver.objects.for_tenant(acme).exists()


def test_outsider_who_names_the_tenant_is_refused_everywhere(charlie, acme):
    rule = make_rule(make_group(acme))
    for route in set(routes()) - OPEN - NO_TENANT - TOKENED:
        if "tenants" in route:
            continue
        answer = charlie.get(filled(route, acme, rule), HTTP_X_SCOPE_ORGID=acme.slug)
        assert answer.status_code in {403, 405}, (route, answer.status_code)


def test_a_token_that_is_none_of_ours_opens_nothing(client, acme):
    for route in TOKENED:
        for method in ("get", "post", "head"):
            answer = getattr(client, method)("/" + re.sub("<str:[a-z_]+>", "x", route))
            assert answer.status_code in {400, 404, 405}, (route, method, answer.status_code)


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer as_nonsense", "Basic bm86bm8="])
def test_without_a_credential_nothing_opens(client, acme, header):
    rule = make_rule(make_group(acme))
    headers = {} if header is None else {"HTTP_AUTHORIZATION": header}
    for route in set(routes()) - OPEN - NO_TENANT - TOKENED:
        answer = client.get(filled(route, acme, rule), **headers)
        assert answer.status_code in {401, 405}, (route, answer.status_code)


def test_member_of_several_tenants_must_name_one(alice, acme):
    other = make_tenant("second")
    from alertsite.tenancy.models import Membership, User

    Membership.objects.create(tenant=other, user=User.objects.get(username="alice"), role="owner")
    make_group(other, "theirs")

    unnamed = alice.get("/api/rule-groups/")
    named = alice.get("/api/rule-groups/", HTTP_X_SCOPE_ORGID="second")

    assert (unnamed.status_code, unnamed.json()["title"]) == (400, "tenant.not_named")
    assert [group["name"] for group in named.json()["results"]] == ["theirs"]


def test_operator_acts_for_any_tenant_it_names(operator, acme):
    make_group(acme, "hers")
    answer = operator.get("/api/rule-groups/", HTTP_X_SCOPE_ORGID="acme")

    assert [group["name"] for group in answer.json()["results"]] == ["hers"]
    assert operator.get("/api/rule-groups/", HTTP_X_SCOPE_ORGID="nowhere").status_code == 403


def test_operator_makes_tenants_and_sets_quotas_and_a_member_does_not(operator, alice):
    made = operator.post("/api/tenants/", {"slug": "new", "quota": {"lateness_s": 86400}}, format="json")
    assert (made.status_code, made.json()["quota"]["lateness_s"]) == (201, 86400)

    changed = operator.patch("/api/tenants/new/", {"quota": {"max_series": 5}}, format="json")
    assert changed.json()["quota"]["max_series"] == 5

    assert alice.post("/api/tenants/", {"slug": "mine"}, format="json").status_code == 403
    assert alice.patch("/api/tenants/acme/", {"quota": {"max_series": 9}}, format="json").status_code == 403


def test_api_key_is_shown_once_does_no_more_than_its_maker_and_can_be_revoked(alice, bob, client):
    made = alice.post("/api/api-keys/", {"name": "agent", "scopes": ["ingest"]}, format="json").json()
    assert made["secret"] not in str(alice.get("/api/api-keys/").json())
    assert bob.post("/api/api-keys/", {"name": "x", "scopes": ["write"]}, format="json").status_code == 403

    headers = {"HTTP_AUTHORIZATION": f"Bearer {made['secret']}"}
    assert client.get("/api/rules/", **headers).status_code == 403
    assert alice.delete(f"/api/api-keys/{made['id']}/").status_code == 204


def test_postgresql_hides_rows_of_other_tenants_even_from_raw_sql(acme):
    other = make_tenant("other")
    make_group(acme)
    with tenant_scope(other.pk), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM rules_rulegroup")
        assert cursor.fetchone() == (0,)
        cursor.execute("UPDATE rules_rulegroup SET name = 'stolen'")
        assert cursor.rowcount == 0
    assert RuleGroup.objects.for_tenant(acme).get().name == "group"


def test_every_table_of_a_tenant_has_row_level_security(acme):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
            WHERE relkind = 'r' AND attname = 'tenant_id' AND NOT (relrowsecurity AND relforcerowsecurity)
            """
        )
        assert cursor.fetchall() == []


def test_unknown_ids_are_not_found(alice):
    assert alice.get(f"/api/alerts/{uuid4()}/").status_code == 404
    key = create_api_key("reader", tenant=make_tenant("reader"), scopes=("read",))
    assert key.key.scopes == ["read"]
