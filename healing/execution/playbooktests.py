"""Tests of playbooks: given an alert and made-up answers, these steps are taken.

In: YAML with a playbook and its tests. Out: what differs. Refused with line and column: a test file, or a
playbook in it, that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from healing.execution.dry_run import Taken, rehearse
from healing.playbooks.documents import read_document
from healing.playbooks.planner import Plan, compile_playbook
from healing.playbooks.references import Scope
from healing.playbooks.steps import Part


class PlaybookTest(Part):
    """One test."""

    name: str
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    value: float | None = None
    starts: bool = True
    """Whether an alert with these labels starts the playbook."""
    answers: dict[str, bool | dict[str, Any]] = Field(default_factory=dict)
    """By id or key of a step: whether it holds or succeeds, or its result."""
    expect: list[dict[str, Any]] = Field(default_factory=list)
    """Actions, messages and approvals, in order; fields that are left out may be anything."""


class PlaybookTestFile(Part):
    """A playbook, by the name of its file beside this one, and its tests."""

    file: str
    tests: list[PlaybookTest] = Field(min_length=1, max_length=200)


@dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one test; `faults` is empty if it passed."""

    __test__ = False  # a class of the product, whatever its name tells pytest

    name: str
    faults: tuple[str, ...]


_TOLD = frozenset({"action", "notify", "approve"})


def run_tests(text: str, read: Callable[[str], str]) -> list[TestResult]:
    """Run the tests of a file.

    Parameters
    ----------
    read
        The text of a file of this name.

    Raises
    ------
    InvalidPlaybook
    """
    wanted, _ = read_document(text, PlaybookTestFile)
    plan = compile_playbook(read(wanted.file))
    return [TestResult(test.name, tuple(_faults(plan, test))) for test in wanted.tests]


def _faults(plan: Plan, test: PlaybookTest) -> list[str]:
    trigger = plan.playbook.trigger
    starts = trigger.alert is None or trigger.matches(test.labels)
    if starts is not test.starts:
        return ["it starts" if starts else "it does not start"]
    if not starts:
        return []
    taken = [
        one
        for one in rehearse(plan, Scope(test.labels, test.annotations, test.value), test.answers)
        if _TOLD & one.step.keys() or one.reason
    ]
    faults = [
        f"step {position + 1} is {_words(one)}, expected {want}"
        for position, (one, want) in enumerate(zip(taken, test.expect, strict=False))
        if not _fits(want, one.step)
    ]
    if len(taken) != len(test.expect):
        rest = [_words(one) for one in taken[len(test.expect) :]] or test.expect[len(taken) :]
        faults.append(f"{len(taken)} steps are taken, expected {len(test.expect)}: {rest}")
    return faults


def _words(one: Taken) -> str:
    return f"{one.key} refused: {one.reason}" if one.reason else str(dict(one.step))


def _fits(want: Any, got: Any) -> bool:
    """Whether every field that is wanted is there."""
    if isinstance(want, Mapping) and isinstance(got, Mapping):
        return all(name in got and _fits(value, got[name]) for name, value in want.items())
    return bool(want == got)
