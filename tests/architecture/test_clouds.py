"""Adapters keep their SDKs to themselves, and every action is explained as it is declared."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.conf import settings

from cloud.services.providers import registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clouds.md").read_text(encoding="utf-8")
KNOWN = registry()
ACTIONS = [
    pytest.param(provider, word, id=f"{provider}-{word}")
    for provider in KNOWN.names()
    for word in KNOWN.adapter(provider).actions
]
SDKS = {
    "boto3": "aws",
    "botocore": "aws",
    "google": "gcp",
    "grpc": "gcp",
    "azure": "azure",
    "kubernetes": "kubernetes",
    "docker": "docker",
}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_sdk_is_imported_in_its_adapter_alone():
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for app in ("alertsite", "rules", "ml", "healing", "cloud")
        for path in (ROOT / app).rglob("*.py")
        if "cloud/simulators" not in path.as_posix()
        for name in imports_of(path)
        if name.split(".")[0] in SDKS
        and not name.startswith("google.protobuf")
        and f"cloud/adapters/{SDKS[name.split('.')[0]]}/" not in path.as_posix()
    ]
    assert strays == []


@pytest.mark.parametrize("provider", [path.split(".")[-3] for path in settings.CLOUD_ADAPTERS])
def test_provider_is_in_the_page(provider):
    assert f"| `{provider}` |" in PAGE


@pytest.mark.parametrize(("provider", "word"), ACTIONS)
def test_action_is_in_the_table_as_it_declares_itself(provider, word):
    action = KNOWN.action(provider, word)
    permissions = ", ".join(f"`{each}`" for each in action.permissions)
    inverse = action.word.inverse or "none"

    row = f"| {provider} | `{word}` | {action.word.risk} | {action.repeat} | {inverse} | {permissions} |"
    assert row in PAGE


@pytest.mark.parametrize(("provider", "word"), ACTIONS)
def test_action_has_a_page_that_says_what_it_needs(provider, word):
    action = KNOWN.action(provider, word)
    text = (ROOT / "cloud" / "adapters" / provider / word / "README.md").read_text(encoding="utf-8")
    page = " ".join(text.split())

    assert page.startswith(f"# {provider}: {word}")
    assert f"**{action.repeat}**" in page
    assert all(each in page for each in action.permissions)


def test_every_setting_of_a_provider_is_in_the_page():
    missing = [
        f"{provider}.{name}"
        for provider in KNOWN.names()
        for kind in (KNOWN.adapter(provider).settings, KNOWN.adapter(provider).credentials)
        for name in kind.model_fields
        if f"`{name}`" not in PAGE
    ]
    assert missing == []
