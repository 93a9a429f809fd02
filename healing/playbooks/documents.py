"""YAML that becomes a pydantic model, each fault with its line and column.

In: text, and the model. Out: the model's value and the way back from a place in it to a place in the text.
Refused: what is not YAML, is too long, too deep or unfolds too far, fields that stand twice, and what the
model refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from healing.playbooks.errors import InvalidPlaybook
from rules.alerts.yaml_nodes import InvalidDocument, Problem, Reader, compose

TAG: Final = "kind:"
"""Begins the names that a union adds to the place of a fault."""
_UNION_ERRORS: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """A text with its nodes, and the faults found so far."""

    root: yaml.Node
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, place: Sequence[str | int], reason: str) -> None:
        """Note a fault at a place such as `("steps", 0, "with")`."""
        node = self._node(place)
        self.problems.append(Problem(node.start_mark.line + 1, node.start_mark.column + 1, reason))

    def check(self) -> None:
        """Stop if there are faults.

        Raises
        ------
        InvalidPlaybook
        """
        if self.problems:
            raise InvalidPlaybook(self.problems)

    def _node(self, place: Sequence[str | int]) -> yaml.Node:
        """The node that stands there, or the innermost around it that does."""
        node = self.root
        for step in place:
            inner = _child(node, step)
            if inner is not None:
                node = inner
        return node


def read_document(text: str, model: type[M]) -> tuple[M, Document]:
    """The model of a text.

    Raises
    ------
    InvalidPlaybook
        With every fault.
    """
    try:
        root = compose(text)
    except InvalidDocument as error:
        raise InvalidPlaybook(error.problems) from None
    if root is None:
        raise InvalidPlaybook([Problem(1, 1, "the text holds nothing")])
    document = Document(root)
    _refuse_twins(document, root)
    reader = Reader()
    plain = reader.plain(root)
    document.problems += reader.problems
    document.check()
    try:
        return model.model_validate(plain), document
    except ValidationError as error:
        for one in error.errors(include_url=False):
            document.refuse([part for part in one["loc"] if not _is_tag(part)], _words(one))
        raise InvalidPlaybook(document.problems) from None


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and part.startswith(TAG)


def _words(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown field {error['loc'][-1]!r}"
    if error["type"] in _UNION_ERRORS:
        return "unknown step: one of " + str(error["ctx"]["expected_tags"]).replace(TAG, "")
    where = ".".join(str(part) for part in error["loc"][-1:] if not _is_tag(part))
    return f"{where}: {error['msg']}"


def _refuse_twins(document: Document, root: yaml.Node) -> None:
    """YAML lets a key stand twice and takes the last; nobody means that."""
    level: list[yaml.Node] = [root]
    while level:
        for node in level:
            if isinstance(node, yaml.MappingNode):
                _refuse_twins_of(document, node)
        level = [child for node in level for child in _children(node)]


def _refuse_twins_of(document: Document, node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        mark = key.start_mark
        if not isinstance(key, yaml.ScalarNode):
            document.problems.append(Problem(mark.line + 1, mark.column + 1, "a key is a text"))
        elif key.value in seen:
            reason = f"field {key.value!r} stands twice"
            document.problems.append(Problem(mark.line + 1, mark.column + 1, reason))
        else:
            seen.add(key.value)


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None
