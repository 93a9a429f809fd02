"""`docs/settings.md` lists every variable that the code reads, and no other."""

import re
from pathlib import Path

from alertsite.settings import base, celery, limits, logs

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
READ_BEFORE_SETTINGS = {"ALERTSITE_STATE_DIR"}
READ_BY_TESTS = {"PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_WORKER"}


def test_every_variable_is_documented():
    asked = set().union(*(module.env.names_asked for module in (base, celery, limits, logs)))
    files = {name for name in asked if name.endswith("_FILE") and name.removesuffix("_FILE") in asked}
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented == (asked - files) | READ_BEFORE_SETTINGS


def test_variables_that_may_come_from_a_file_are_documented_as_secrets():
    asked = set().union(*(module.env.names_asked for module in (base, celery, limits, logs)))
    from_files = {name.removesuffix("_FILE") for name in asked if name.endswith("_FILE")} & asked
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| [^|]* \| ([^|]*) \|", PAGE.read_text("utf-8"), re.MULTILINE))
    secret = {name for name, accepts in rows.items() if accepts.startswith("secret")}
    assert secret == from_files


def test_variables_of_the_tests_are_named():
    assert all(f"`{name}`" in PAGE.read_text(encoding="utf-8") for name in READ_BY_TESTS)
