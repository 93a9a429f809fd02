"""Every model and state is in the glossary; every command in the pages exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands

from rules.evaluation.outcomes import Outcome
from rules.evaluation.states import State

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
APPS = {"alertsite", "rules", "ml", "cloud", "healing"}
OURS = [model for model in apps.get_models() if model.__module__.split(".")[0] in APPS]


@pytest.mark.parametrize("model", [model.__name__ for model in OURS])
def test_model_is_in_the_glossary(model):
    assert f"| {model} |" in GLOSSARY


@pytest.mark.parametrize("word", [*State, *(outcome.name.lower() for outcome in Outcome)])
def test_state_is_in_the_glossary(word):
    assert re.search(rf"\b{word}\b", GLOSSARY)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_the_page_exist(page):
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert set(re.findall(r"^    make ([a-z-]+)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= {"up", *get_commands()}
    for path in re.findall(
        r"(?<![\w/.])((?:alertsite|rules|tests|examples|docs|deploy)/[\w/]+\.(?:py|md|yaml))", text
    ):
        assert (ROOT / path).exists(), path
