"""Every dependency is pinned within its bounds, and explained."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]


def declared():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for group in listed for text in group]


def pins():
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("requirement", [pytest.param(each, id=each.name) for each in declared()])
def test_dependency_is_pinned_within_its_bounds(requirement):
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_every_dependency_is_explained():
    page = (REPOSITORY / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| ([A-Za-z][\w.-]+) \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    assert {canonicalize_name(name) for name in explained} - {"package"} == {
        canonicalize_name(requirement.name) for requirement in declared()
    }
