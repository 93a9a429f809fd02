"""Prometheus rule files, read with positions.

In: YAML (or JSON) text of one file: `groups:`, or a Kubernetes PrometheusRule object. Out: groups of rules as
they stand there, each with the line it begins at. Refused, with line and reason: YAML that does not parse,
unknown fields, wrong types, missing names, a rule that is both alert and record. Expressions are not looked
at here. A rule or a group may carry, under `alertsite`, what Prometheus has no field for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidDuration, PlatformError
from rules.language.yaml_depth import refuse_deep

MAX_FILE_CHARACTERS: Final = 8 << 20

_GROUP_FIELDS = {
    "name",
    "interval",
    "query_offset",
    "limit",
    "labels",
    "rules",
    "partial_response_strategy",
    "alertsite",
}
_RULE_FIELDS = {
    "alert",
    "record",
    "expr",
    "for",
    "keep_firing_for",
    "labels",
    "annotations",
    "alertsite",
}
OWN_TEXTS: Final = (
    "severity",
    "category",
    "state",
    "recovery_expr",
    "no_data_policy",
    "error_policy",
    "datasource",
)
"""Fields below `alertsite` that are texts; besides them `alert_limit`, a count, and `condition`."""


class InvalidRuleFile(PlatformError):
    """A rule file is malformed. `line` counts from one."""

    code = "rule_file.invalid"

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


@dataclass(frozen=True, slots=True)
class FileRule:
    """One rule of a file. Durations in milliseconds."""

    line: int
    alert: str
    record: str
    expr: str
    hold_for_ms: int = 0
    keep_firing_for_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    """What stands under `alertsite`."""

    @property
    def name(self) -> str:
        """Alert name or recorded metric."""
        return self.alert or self.record


@dataclass(frozen=True, slots=True)
class FileGroup:
    """One group of a file. `interval_ms` is 0 when the file leaves it open."""

    line: int
    name: str
    rules: Sequence[FileRule]
    interval_ms: int = 0
    query_offset_ms: int = 0
    limit: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    partial_response_strategy: str = ""
    """Of Thanos; read, and of no effect here."""
    datasource: str = ""
    """Under `alertsite`: the name of who answers the queries; empty for our own store."""


def normal_form(group: FileGroup) -> FileGroup:
    """The group with the least said that means the same: labels on the rules, no lines, nothing of Thanos."""
    rules = [replace(rule, line=0, labels={**group.labels, **rule.labels}) for rule in group.rules]
    return replace(group, line=0, rules=rules, labels={}, partial_response_strategy="")


def parse_rule_file(text: str) -> list[FileGroup]:
    """The groups of a rule file.

    Raises
    ------
    InvalidRuleFile
        With the line of the first fault; nothing of the file is returned then.
    """
    if len(text) > MAX_FILE_CHARACTERS:
        raise InvalidRuleFile(1, f"file has {len(text)} characters, limit is {MAX_FILE_CHARACTERS}")
    try:
        refuse_deep(text)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidRuleFile(line, f"not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InvalidRuleFile(1, f"not YAML: {error}") from None
    if root is None:
        return []
    document = _Node(root)
    if document.has("spec"):
        document = document.child("spec")
    groups = [_group(node) for node in document.items("groups")]
    _refuse_twins(groups)
    return groups


def _refuse_twins(groups: Sequence[FileGroup]) -> None:
    seen: set[str] = set()
    for group in groups:
        if group.name in seen:
            raise InvalidRuleFile(group.line, f"group {group.name!r} stands twice")
        seen.add(group.name)


class _Node:
    """A YAML mapping, read field by field, so that faults name their line."""

    def __init__(self, node: yaml.Node) -> None:
        self.line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise InvalidRuleFile(self.line, "a mapping is expected here")
        self._fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.value in self._fields:
                raise InvalidRuleFile(key.start_mark.line + 1, f"field {key.value!r} stands twice")
            self._fields[key.value] = value

    def has(self, name: str) -> bool:
        return name in self._fields

    def only(self, known: set[str]) -> None:
        for name, node in self._fields.items():
            if name not in known:
                raise InvalidRuleFile(node.start_mark.line + 1, f"unknown field {name!r}")

    def child(self, name: str) -> _Node:
        return _Node(self._fields[name])

    def items(self, name: str) -> Iterator[_Node]:
        """The items of a list; none where it is missing."""
        node = self._fields.get(name)
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return iter(())
        if not isinstance(node, yaml.SequenceNode):
            raise InvalidRuleFile(node.start_mark.line + 1, f"{name!r} is not a list")
        return (_Node(item) for item in node.value)

    def text(self, name: str) -> str:
        """A text; empty where it is missing."""
        node = self._fields.get(name)
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return ""
        if not isinstance(node, yaml.ScalarNode):
            raise InvalidRuleFile(node.start_mark.line + 1, f"{name!r} is not a text")
        if "\0" in node.value:
            raise InvalidRuleFile(node.start_mark.line + 1, f"{name!r} has a NUL character")
        return str(node.value)

    def duration_ms(self, name: str) -> int:
        """A duration; 0 where it is missing."""
        text = self.text(name)
        try:
            return parse_duration_ms(text) if text else 0
        except InvalidDuration as error:
            raise InvalidRuleFile(self._fields[name].start_mark.line + 1, f"{name}: {error}") from None

    def count(self, name: str) -> int:
        """A count; 0 where it is missing."""
        text = self.text(name) or "0"
        if not text.isdigit():
            raise InvalidRuleFile(
                self._fields[name].start_mark.line + 1, f"{name!r} is {text!r}, not a count"
            )
        return int(text)

    def value(self, name: str) -> Any:
        """Whatever stands there, as Python values."""
        return yaml.constructor.SafeConstructor().construct_document(self._fields[name])

    def texts(self, name: str) -> dict[str, str]:
        """Texts by name; none where the mapping is missing."""
        node = self._fields.get(name)
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return {}
        inner = _Node(node)
        return {key: inner.text(key) for key in inner._fields}


def _group(node: _Node) -> FileGroup:
    node.only(_GROUP_FIELDS)
    name = node.text("name")
    if not name:
        raise InvalidRuleFile(node.line, "a group needs a name")
    return FileGroup(
        line=node.line,
        name=name,
        rules=[_rule(item) for item in node.items("rules")],
        interval_ms=node.duration_ms("interval"),
        query_offset_ms=node.duration_ms("query_offset"),
        limit=node.count("limit"),
        labels=node.texts("labels"),
        partial_response_strategy=node.text("partial_response_strategy"),
        datasource=_group_datasource(node.child("alertsite")) if node.has("alertsite") else "",
    )


def _group_datasource(node: _Node) -> str:
    node.only({"datasource"})
    return node.text("datasource")


def _rule(node: _Node) -> FileRule:
    node.only(_RULE_FIELDS)
    alert, record = node.text("alert"), node.text("record")
    if bool(alert) == bool(record):
        raise InvalidRuleFile(node.line, "a rule needs either 'alert' or 'record'")
    if not node.text("expr").strip():
        raise InvalidRuleFile(node.line, f"rule {alert or record!r} has no 'expr'")
    timed: dict[str, Any] = {
        "hold_for_ms": node.duration_ms("for"),
        "keep_firing_for_ms": node.duration_ms("keep_firing_for"),
    }
    annotations = node.texts("annotations")
    if record and (annotations or any(timed.values())):
        raise InvalidRuleFile(
            node.line, f"recording rule {record!r} has 'for', 'keep_firing_for' or annotations"
        )
    return FileRule(
        line=node.line,
        alert=alert,
        record=record,
        expr=node.text("expr").strip(),
        labels=node.texts("labels"),
        annotations=annotations,
        own=_own(node.child("alertsite")) if node.has("alertsite") else {},
        **timed,
    )


def _own(node: _Node) -> dict[str, Any]:
    node.only({*OWN_TEXTS, "alert_limit", "condition"})
    own: dict[str, Any] = {name: node.text(name) for name in OWN_TEXTS if node.has(name)}
    if node.has("alert_limit"):
        own["alert_limit"] = node.count("alert_limit")
    if node.has("condition"):
        own["condition"] = node.value("condition")
    return own
