"""Statements name their columns, and what keeps them prepared is in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.conf import settings

from alertsite.celery import app

ROOT = Path(__file__).parents[2]
PACKAGES = ("alertsite", "rules", "ml", "healing", "cloud")
EVERYTHING = re.compile(r"\b(SELECT|RETURNING)\s+(\w+\.)?\*|,\s*\w+\.\*\s*(,|FROM\b)")


def stars(text: str) -> list[str]:
    return [found.group(0) for found in EVERYTHING.finditer(text)]


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM rules_rule", "SELECT\n    held.*, 1", "SELECT 1, held.* FROM held", "RETURNING *"],
)
def test_the_pattern_finds_statements_that_ask_for_everything(statement):
    assert stars(statement)


def test_no_statement_asks_for_everything():
    """A column that the next release adds breaks such a statement where it is prepared already."""
    found = {
        str(path.relative_to(ROOT)): stars(path.read_text(encoding="utf-8"))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_workers_keep_their_connections():
    """Celery would give them up after every task, and what is prepared with them."""
    assert DjangoWorkerFixup(app).db_reuse_max >= 10**9
    assert settings.DATABASES["default"]["OPTIONS"]["server_side_binding"] is True
