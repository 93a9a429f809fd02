"""Every shell line of docs/deployment.md that needs no cluster works as it stands there."""

from __future__ import annotations

import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from rules.services import backing
from tests.factories.rows import make_tenant

REPOSITORY = Path(__file__).parents[2]
LINES = re.findall(
    r"^    (\S.*)$", (REPOSITORY / "docs" / "deployment.md").read_text(encoding="utf-8"), re.MULTILINE
)
OURS = [line.removeprefix("manage.py ").split() for line in LINES if line.startswith("manage.py ")]
BUILDS = [line for line in LINES if line.startswith("kubectl kustomize ")]


def test_page_has_the_commands():
    assert [words[0] for words in OURS] == ["release", "release", "backup", "restore_drill"]
    assert len(BUILDS) == 2


@pytest.mark.parametrize("line", BUILDS)
def test_overlay_builds(line):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: the lines of the page were not tried")
    subprocess.run(line.split(), cwd=REPOSITORY, check=True, capture_output=True)


def test_chart_and_overlay_of_the_page_exist():
    named = {word for line in LINES for word in line.split() if word.startswith("deploy/")}
    assert {name for name in named if not (REPOSITORY / name).is_dir()} == set()


@pytest.mark.skipif(not backing.has_programs(), reason="no pg_dump and pg_restore here")
def test_commands_run_in_the_order_of_the_page(transactional_db, redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_tenant()
    out = StringIO()

    for name, *words in OURS:
        where = ["--directory", str(tmp_path / "schema")] if name == "release" else []
        call_command(name, *where, *words, stdout=out)

    assert "workers of release 0.1.0 can go on" in out.getvalue()
    assert "restored in" in out.getvalue()
