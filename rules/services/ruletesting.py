"""Unit tests of rules: of files, and of what a tenant has. Series come from the tests alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from alertsite.core.errors import PlatformError
from rules.evaluation.ruletestfile import parse_test_file
from rules.evaluation.ruletests import TestWorld, run_tests
from rules.language.engine import EvaluationLimits
from rules.language.rulefile import FileGroup, parse_rule_file
from rules.notify.templates import TemplateExpander
from rules.services.exporting import rule_groups
from rules.services.templating import template_query

TIMEOUT_S: Final = 60.0


def failures_of_file(path: Path) -> list[str]:
    """What fails in a test file, with the rule files that it names beside it; a faulty file is a failure."""
    try:
        tests = path.read_text(encoding="utf-8")
        groups = list(_named_groups(path.parent, parse_test_file(tests).rule_files))
        return _failures(tests, groups)
    except (PlatformError, OSError, UnicodeDecodeError) as error:
        return [str(error)]


def _named_groups(folder: Path, patterns: Sequence[str]) -> Iterator[FileGroup]:
    """The groups of the rule files that match the patterns, relative to the test file."""
    for pattern in patterns:
        whole = Path(pattern)
        root, relative = (
            (Path(whole.anchor), whole.relative_to(whole.anchor)) if whole.anchor else (folder, whole)
        )
        for file in sorted(root.glob(str(relative))):
            yield from parse_rule_file(file.read_text(encoding="utf-8"))


def failures_of_tenant(tenant_id: UUID, tests: str, rules: str | None) -> list[str]:
    """What fails in the tests, of these rules or, when None, of those that the tenant has.

    Raises
    ------
    InvalidTestFile, InvalidRuleFile, InvalidNotation, InvalidParameter
    """
    return _failures(tests, rule_groups(tenant_id) if rules is None else parse_rule_file(rules))


def _failures(tests: str, groups: Sequence[FileGroup]) -> list[str]:
    deadline = time.monotonic() + TIMEOUT_S
    limits = EvaluationLimits(out_of_time=lambda: time.monotonic() > deadline)
    return run_tests(parse_test_file(tests), groups, _expander, limits)


def _expander(world: TestWorld) -> TemplateExpander:
    return TemplateExpander(
        external_labels=world.external_labels,
        external_url=world.external_url,
        query=template_query(world.reader, world.limits, world.at_ms),
        now_ms=world.at_ms,
    )
