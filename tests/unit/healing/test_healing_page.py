"""Every shell line of docs/healing.md that needs no cluster works as it stands there; its tables know every
step.
"""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import call_command

from healing.playbooks.schema import Playbook
from healing.playbooks.steps import KINDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "healing.md").read_text(encoding="utf-8")
LINES = re.findall(r"^    manage\.py (.+)$", PAGE, re.MULTILINE)


def test_the_page_has_both_verbs():
    assert {line.split()[1] for line in LINES} == {"check", "test"}


@pytest.mark.parametrize("line", LINES)
def test_line_of_the_page_works(monkeypatch, line):
    monkeypatch.chdir(ROOT)
    out = io.StringIO()

    call_command(*shlex.split(line), stdout=out)

    assert out.getvalue()


@pytest.mark.parametrize("name", [*KINDS, *Playbook.model_fields])
def test_the_page_knows_every_field_and_step(name):
    assert f"`{name}" in PAGE
