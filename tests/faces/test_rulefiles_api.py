"""Rule files over REST and from the shell: what goes in, what the report says, what comes out."""

from __future__ import annotations

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from rules.language.plan import plan
from rules.models import Rule, RuleGroup
from tests.conformance.cases import SHARED
from tests.factories.rows import make_group, make_rule

FILE = """
groups:
  - name: api
    interval: 1500ms
    limit: 10
    rules:
      - {record: "job:up:min", expr: min by (job) (up)}
      - {alert: Down, expr: "job:up:min == 0", for: 5m, labels: {severity: page}}
      - {alert: Broken, expr: "sum(("}
  - name: fine
    rules:
      - {alert: Fine, expr: up == 0, labels: {severity: low}}
"""


def send(client, text, kind="application/yaml"):
    return client.generic("POST", "/api/rules/import/", text.encode(), content_type=kind)


def test_report_says_what_became_of_each_rule(alice, acme):
    report = send(alice, FILE).json()

    assert (report["taken"], report["changed"], report["refused"]) == (1, 2, 1)
    recorded, down, broken, fine = report["rules"]
    assert recorded["notes"] == ["interval 1s500ms is 1s here", "limit 10 does not bound what is recorded"]
    assert down["notes"][1] == "severity 'page' counts as critical; the label stays"
    assert (broken["line"], broken["group"], broken["rule"]) == (9, "api", "Broken")
    assert broken["notes"][0].startswith("expr: 1:6: parse error")
    assert (fine["outcome"], fine["notes"]) == ("taken", [])
    down_rule = Rule.objects.for_tenant(acme).get(name="Down")
    assert (down_rule.severity, down_rule.hold_for_s, down_rule.state) == ("critical", 300, "active")


def test_files_with_groups_of_one_name_stay_apart(alice, acme):
    one = "groups: [{name: exporter, rules: [{alert: A, expr: a > 0}]}]"
    parts = [SimpleUploadedFile(name, one.encode()) for name in ("first.yml", "second.yml")]

    report = alice.post("/api/rules/import/", {"files": parts}, format="multipart").json()

    assert [rule["group"] for rule in report["rules"]] == ["exporter", "exporter (second)"]
    assert RuleGroup.objects.for_tenant(acme).count() == 2


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        pytest.param("groups: 7", "line 1: 'groups' is not a list", id="no rule file"),
        pytest.param(
            "groups: [{name: slow, interval: 2d, rules: [{alert: A, expr: a}]}]",
            "group interval_s: Ensure this value is less than or equal to 86400.",
            id="interval out of bounds",
        ),
        pytest.param(
            f"groups: [{{name: g, rules: [{{alert: {'A' * 301}, expr: a}}]}}]",
            "name: Ensure this value has at most 300 characters (it has 301).",
            id="name too long",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_with_the_reason(alice, acme, text, notes):
    report = send(alice, text).json()

    assert (report["refused"], report["rules"][0]["notes"]) == (1, [notes])
    assert not Rule.objects.for_tenant(acme).exists()


@pytest.mark.parametrize(("body", "reason"), [(b"\xff", "not UTF-8"), (b" " * ((8 << 20) + 1), "more than")])
def test_body_that_is_no_text_is_refused(alice, body, reason):
    answer = alice.generic("POST", "/api/rules/import/", body, content_type="application/yaml")

    assert answer.status_code == 400
    assert reason in answer.json()["detail"]


def test_viewer_exports_and_may_not_import(bob, acme):
    make_rule(make_group(acme), severity="high")

    assert send(bob, FILE).status_code == 403
    assert "alert: HostDown" in bob.get("/api/rules/export/").content.decode()
    assert bob.get("/api/rules/export/?format_=csv")["Content-Type"].startswith("text/csv")
    assert bob.get("/api/rules/export/?format_=xml").status_code == 400


@pytest.mark.parametrize("form", ["prometheus", "json"])
def test_export_imported_again_changes_nothing(alice, acme, form):
    send(alice, FILE)
    first = alice.get(f"/api/rules/export/?format_={form}").content.decode()

    again = send(alice, first)

    assert again.json()["refused"] == 0
    assert alice.get(f"/api/rules/export/?format_={form}").content.decode() == first
    assert set(Rule.objects.for_tenant(acme).values_list("version", flat=True)) == {1}


def test_json_export_carries_conditions_and_policies_to_another_tenant(alice, charlie, acme):
    condition = {"type": "threshold", "metric_path": "cpu", "operator": ">", "threshold": 80}
    make_rule(make_group(acme), expr="", condition=condition, no_data_policy="alerting", state="paused")

    assert send(charlie, alice.get("/api/rules/export/?format_=json").content.decode()).json()["taken"] == 1

    (rule,) = charlie.get("/api/rules/").json()["results"]
    assert (rule["condition"], rule["no_data_policy"], rule["state"]) == (condition, "alerting", "paused")


def test_commands_import_a_directory_and_export(acme, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "api.yml").write_text(FILE)
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 refused"):
        call_command("rules", "import", str(tmp_path), "--tenant", "acme", stdout=out)

    assert out.getvalue().splitlines()[-1] == "1 taken, 2 changed, 1 refused"
    assert f"refused: {tmp_path}/more/api.yml:9 api/Broken: expr: 1:6" in out.getvalue()
    exported = io.StringIO()
    call_command("rules", "export", "--tenant", "acme", "--format", "csv", stdout=exported)
    assert len(exported.getvalue().splitlines()) == 4


def test_command_names_the_tenant_it_does_not_find(acme):
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        call_command("rules", "export", "--tenant", "nobody")


@pytest.mark.skipif(
    not (SHARED / "data" / "rules").is_dir(), reason="no real rule files beside the repository"
)
def test_every_real_rule_imports(acme):
    out = io.StringIO()
    call_command("rules", "import", str(SHARED / "data" / "rules"), "--tenant", "acme", stdout=out)

    assert Rule.objects.for_tenant(acme).count() >= 300
    assert ", 0 refused" in out.getvalue()
    for expr in Rule.objects.for_tenant(acme).values_list("expr", flat=True):
        plan(expr)
