"""Timeline tests of files, with rules and routing of other files or of a tenant."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from alertsite.tenancy.scope import platform_scope
from rules.services.timelining import differences_of_file
from tests.factories.notifying import make_route
from tests.factories.rows import make_group, make_receiver, make_rule, make_tenant

STORY = """
load: {up: "1 0x3"}
expect:
  1m: {Down: firing, notified: [Down]}
"""
RULES = 'groups: [{name: g, rules: [{alert: Down, expr: "up == 0"}]}]'
ROUTING = "route: {receiver: default, group_wait: 0s}\nreceivers: [{name: default}]"


@pytest.fixture
def story(tmp_path: Path) -> Path:
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    (tmp_path / "routing.yml").write_text(ROUTING, encoding="utf-8")
    path = tmp_path / "story.yml"
    path.write_text("rule_files: [rules.yml]\nalertmanager: routing.yml\n" + STORY, encoding="utf-8")
    return path


def test_rules_and_routing_come_from_other_files(story):
    assert differences_of_file(story) == []


def test_routing_that_waits_is_a_difference(story):
    (story.parent / "routing.yml").write_text(ROUTING.replace("0s", "5m"), encoding="utf-8")
    assert differences_of_file(story) == ["1m, notified: expected ['Down'], found []"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("[" * 100_000, "nested deeper", id="too deep"),
        pytest.param("- 1", "a mapping is expected", id="no mapping"),
        pytest.param("alertmanager: nowhere.yml", "nowhere.yml", id="no such file"),
    ],
)
def test_a_faulty_file_is_a_difference(tmp_path, text, reason):
    path = tmp_path / "story.yml"
    path.write_text(text, encoding="utf-8")
    (difference,) = differences_of_file(path)
    assert reason in difference


def test_rules_and_routing_come_from_a_tenant(db, tmp_path):
    with platform_scope():
        tenant = make_tenant()
        make_rule(make_group(tenant), name="Down", expr="up == 0")
        make_route(tenant, receiver=make_receiver(tenant, name="default"), group_wait_s=0)
    path = tmp_path / "story.yml"
    path.write_text(STORY, encoding="utf-8")
    out = StringIO()
    call_command("timeline", "test", str(path), "--tenant", tenant.slug, stdout=out)
    assert out.getvalue().strip().endswith("SUCCESS")
    path.write_text(STORY.replace("1m", "0m"), encoding="utf-8")
    with pytest.raises(CommandError, match="1 of 1 files failed"):
        call_command("timeline", "test", str(path), "--tenant", tenant.slug, stdout=out)
    with pytest.raises(CommandError, match="no tenant"):
        call_command("timeline", "test", str(path), "--tenant", "nobody", stdout=out)
