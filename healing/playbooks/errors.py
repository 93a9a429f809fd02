"""What playbooks refuse."""

from __future__ import annotations

from collections.abc import Iterable

from alertsite.core.errors import PlatformError
from rules.alerts.yaml_nodes import Problem


class InvalidPlaybook(PlatformError):
    """A playbook has faults; none of it was taken. Each fault has line and column."""

    code = "playbook.invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("; ".join(str(problem) for problem in self.problems))
        self.errors = {"text": [str(problem) for problem in self.problems]}


class InvalidText(PlatformError):
    """A template or a condition cannot be read."""

    code = "playbook.text"


class MissingValue(PlatformError):
    """What a template reads is not there."""

    code = "playbook.missing_value"

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not there")
