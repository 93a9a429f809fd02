"""`manage.py playbook` checks and tests files."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.factories.playbooks import RESTART

TESTS = """\
file: restart.yaml
tests:
  - name: restarts
    labels: {alertname: ServiceDown, service: a}
    expect: [{action: restart_service}]
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "restart.yaml").write_text(RESTART)
    (tmp_path / "good.yaml").write_text(TESTS)
    (tmp_path / "bad.yaml").write_text(TESTS.replace("service: a}", "service: a b}"))
    return tmp_path


def test_a_file_is_checked(files):
    out = StringIO()
    call_command("playbook", "check", files / "restart.yaml", stdout=out)

    assert "restart a wedged service, 1 steps" in out.getvalue()


def test_tests_pass_or_fail(files):
    out = StringIO()
    call_command("playbook", "test", files / "good.yaml", stdout=out)
    assert "ok  restarts" in out.getvalue()

    with pytest.raises(CommandError, match="1 of 2 files failed"):
        call_command("playbook", "test", files / "good.yaml", files / "bad.yaml", stdout=out)
    assert "FAILED  restarts" in out.getvalue()


@pytest.mark.parametrize("name", ["good.yaml", "gone.yaml"])
def test_what_is_no_playbook_fails(files, name):
    with pytest.raises(CommandError):
        call_command("playbook", "check", files / name, stdout=StringIO())
