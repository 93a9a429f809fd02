"""Every shell line of docs/rules.md works as it stands there."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import call_command

from alertsite.tenancy.scope import platform_scope
from tests.factories.rows import make_tenant

ROOT = Path(__file__).parents[2]
LINES = re.findall(
    r"^    manage\.py (.+)$", (ROOT / "docs" / "rules.md").read_text(encoding="utf-8"), re.MULTILINE
)


@pytest.fixture
def acme(db, redis_url, monkeypatch):
    monkeypatch.chdir(ROOT)
    with platform_scope():
        yield make_tenant("acme")


def test_the_page_has_every_verb():
    assert {line.split()[1] for line in LINES} == {"import", "export", "backtest", "test"}


@pytest.mark.parametrize("line", LINES)
def test_line_of_the_page_works(acme, line):
    out = io.StringIO()

    call_command(*shlex.split(line), stdout=out)

    assert out.getvalue()
