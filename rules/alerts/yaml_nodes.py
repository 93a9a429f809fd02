"""YAML read with positions, so that every fault names its line and column.

In: YAML text. Out: nodes to be read field by field; faults are collected, not raised one by one. Refused
at once: what is not YAML, and documents whose aliases unfold to more than `MAX_NODES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import NamedTuple

import yaml

from alertsite.core.errors import PlatformError
from rules.language.yaml_depth import MAX_NESTING, refuse_deep

MAX_CHARACTERS = 1 << 20
MAX_NODES = 200_000
_NULL = "tag:yaml.org,2002:null"


class Problem(NamedTuple):
    """One fault. Line and column count from one."""

    line: int
    column: int
    reason: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.reason}"


class InvalidDocument(PlatformError):
    """A document has faults; none of it was taken."""

    code = "document.invalid"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("; ".join(str(problem) for problem in self.problems))


def compose(text: str) -> yaml.Node | None:
    """The root node of a text; None if it holds nothing.

    Raises
    ------
    InvalidDocument
        If the text is not YAML, too long, or nested or aliased beyond the caps.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidDocument([Problem(1, 1, f"text has {len(text)} characters, limit is {MAX_CHARACTERS}")])
    try:
        refuse_deep(text)
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise InvalidDocument([Problem(*where, f"not YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise InvalidDocument([Problem(1, 1, f"not YAML: {error}")]) from None
    if root is not None:
        _weigh(root)
    return root


def _weigh(root: yaml.Node) -> None:
    """Refuse what unfolds beyond the caps; an alias counts as often as it is met."""
    level, seen, depth = [root], 0, 0
    while level:
        seen, depth = seen + len(level), depth + 1
        if seen > MAX_NODES or depth > MAX_NESTING:
            reason = f"unfolds to more than {MAX_NODES} nodes or {MAX_NESTING} levels"
            raise InvalidDocument([Problem(1, 1, reason)])
        level = [child for node in level for child in _children(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value


@dataclass(slots=True)
class Reader:
    """Reads nodes and notes what is wrong with them; a fault gives an empty value and the reading goes on."""

    problems: list[Problem] = field(default_factory=list)

    def refuse(self, node: yaml.Node, reason: str) -> None:
        """Note a fault of this node."""
        mark = node.start_mark
        self.problems.append(Problem(mark.line + 1, mark.column + 1, reason))

    def fields(self, node: yaml.Node, known: Set[str] | None = None) -> dict[str, yaml.Node]:
        """The fields of a mapping that are not null; unknown and double ones are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.refuse(node, "a mapping is expected here")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                self.refuse(key, f"field {name!r} stands twice")
            elif known is not None and name not in known:
                self.refuse(key, f"unknown field {name!r}")
            else:
                found[name] = value
        return {name: value for name, value in found.items() if value.tag != _NULL}

    def items(self, node: yaml.Node | None) -> list[yaml.Node]:
        """The items of a list; none if it is absent."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(node, "a list is expected here")
            return []
        return list(node.value)

    def text(self, node: yaml.Node | None) -> str:
        """The text of a scalar; empty if it is absent."""
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node, "a text is expected here")
            return ""
        return str(node.value)

    def flag(self, node: yaml.Node | None) -> bool:
        """True or false; false if it is absent."""
        if node is None:
            return False
        value = self.plain(node)
        if not isinstance(value, bool):
            self.refuse(node, "true or false is expected here")
            return False
        return value

    def plain(self, node: yaml.Node) -> object:
        """The node as plain Python values."""
        try:
            value: object = yaml.constructor.SafeConstructor().construct_document(node)
        except (yaml.YAMLError, ValueError) as error:
            self.refuse(node, f"cannot be read: {error}")
            return None
        return value
