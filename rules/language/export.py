"""Rule groups as text that other tools read.

In: groups as `rulefile` knows them. Out: Prometheus YAML, JSON, CSV, Terraform. YAML and Terraform hold
active rules alone and say in comments what Prometheus has no field for; JSON keeps everything, and `rulefile`
reads it back. Refused: a format of another name.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from alertsite.core.durations import format_duration_ms
from alertsite.core.errors import InvalidParameter
from rules.language.rulefile import FileGroup, FileRule

_USUAL: Final = {"recovery_expr": "", "no_data_policy": "ok", "error_policy": "keep_state", "alert_limit": 0}
"""What Prometheus does; a rule that says otherwise loses it there."""
_COLUMNS: Final = (
    "group",
    "interval",
    "kind",
    "name",
    "expr",
    "for",
    "keep_firing_for",
    "severity",
    "category",
)
_OTHER_BREAKS: Final = re.compile("[\t\r\x7f-\x9f\u2028\u2029\ufeff]")
"""YAML keeps these only where they are escaped."""
_UNPRINTED: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def export_groups(groups: Sequence[FileGroup], form: str) -> str:
    """The groups in one of `FORMATS`.

    Raises
    ------
    InvalidParameter
        If there is no such format.
    """
    write = FORMATS.get(form)
    if write is None:
        raise InvalidParameter("format", form, f"one of {', '.join(FORMATS)}")
    return write(groups)


def to_prometheus(groups: Sequence[FileGroup]) -> str:
    """A rule file for Prometheus."""
    document = {"groups": [_group_fields(group, _shown(group)) for group in groups]}
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return "".join(f"# {line}\n" for line in _losses(groups)) + text


def to_json(groups: Sequence[FileGroup]) -> str:
    """Everything there is to know, in the fields of a rule file and `alertsite` for what is our own."""
    document = []
    for group in groups:
        rules = [
            _rule_fields(rule) | ({"alertsite": dict(rule.own)} if rule.own else {}) for rule in group.rules
        ]
        own = {"alertsite": {"datasource": group.datasource}} if group.datasource else {}
        document.append(_group_fields(group, rules) | own)
    text = json.dumps({"groups": document}, indent=2, ensure_ascii=False) + "\n"
    return _OTHER_BREAKS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def to_csv(groups: Sequence[FileGroup]) -> str:
    """A row a rule; labels and annotations are JSON objects."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow([*_COLUMNS, "state", "labels", "annotations"])
    for group in groups:
        for rule in group.rules:
            texts = [json.dumps(dict(part), ensure_ascii=False) for part in (rule.labels, rule.annotations)]
            table.writerow([*_cells(group, rule), rule.own.get("state", "active"), *texts])
    return stream.getvalue()


def _cells(group: FileGroup, rule: FileRule) -> list[str]:
    labels = _labels(rule)
    return [
        group.name,
        _duration(group.interval_ms),
        "alerting" if rule.alert else "recording",
        rule.name,
        rule.expr,
        _duration(rule.hold_for_ms),
        _duration(rule.keep_firing_for_ms),
        rule.own.get("severity", labels.get("severity", "")),
        labels.get("category", ""),
    ]


def to_terraform(groups: Sequence[FileGroup]) -> str:
    """A PrometheusRule object under Terraform's Kubernetes provider: what Prometheus operators apply."""
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "alertsite-rules", "namespace": "monitoring"},
        "spec": {"groups": [_group_fields(group, _shown(group)) for group in groups]},
    }
    comments = "".join(f"# {line}\n" for line in _losses(groups))
    return (
        comments
        + 'resource "kubernetes_manifest" "alertsite_rules" {\n'
        + f"  manifest = {_hcl(manifest, '  ')}\n"
        + "}\n"
    )


FORMATS: Final[Mapping[str, Callable[[Sequence[FileGroup]], str]]] = {
    "prometheus": to_prometheus,
    "json": to_json,
    "csv": to_csv,
    "terraform": to_terraform,
}


def _group_fields(group: FileGroup, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """The group's fields in Prometheus's order, without those that say nothing."""
    said = {
        "interval": _duration(group.interval_ms),
        "query_offset": _duration(group.query_offset_ms),
        "limit": group.limit,
        "labels": dict(group.labels),
    }
    return {"name": group.name, **{name: value for name, value in said.items() if value}, "rules": rules}


def _shown(group: FileGroup) -> list[dict[str, Any]]:
    """Active rules with the labels that make their alerts here."""
    return [_rule_fields(rule) | _label_field(_labels(rule)) for rule in group.rules if _is_active(rule)]


def _rule_fields(rule: FileRule) -> dict[str, Any]:
    said = {
        "alert": rule.alert,
        "record": rule.record,
        "expr": rule.expr,
        "for": _duration(rule.hold_for_ms),
        "keep_firing_for": _duration(rule.keep_firing_for_ms),
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
    }
    return {name: value for name, value in said.items() if value}


def _label_field(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"labels": dict(labels)} if labels else {}


def _labels(rule: FileRule) -> dict[str, str]:
    """The rule's labels, and what severity and category add to its alerts."""
    labels = dict(rule.labels)
    if rule.alert:
        if rule.own.get("severity"):
            labels.setdefault("severity", rule.own["severity"])
        if rule.own.get("category"):
            labels.setdefault("category", rule.own["category"])
    return labels


def _is_active(rule: FileRule) -> bool:
    return bool(rule.own.get("state", "active") == "active")


def _losses(groups: Sequence[FileGroup]) -> Iterator[str]:
    """What a Prometheus rule file cannot say, a line each."""
    for group in groups:
        for rule in group.rules:
            name = f"{group.name}/{rule.name}".replace("\n", " ")
            datasource = rule.own.get("datasource") or group.datasource
            if not _is_active(rule):
                yield f"{name} is left out: it is {rule.own['state']}"
                continue
            lost = [part for part, usual in _USUAL.items() if rule.own.get(part, usual) != usual]
            if lost:
                yield f"{name} is without its {', '.join(lost)}"
            if datasource:
                yield f"{name} is answered by {datasource}, which is not said here".replace("\n", " ")


def _duration(duration_ms: int) -> str:
    return format_duration_ms(duration_ms) if duration_ms else ""


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as people write them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _OTHER_BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _hcl(value: Any, indent: str) -> str:
    """A value in Terraform's language."""
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [f"{inner}{_hcl_string(name)} = {_hcl(part, inner)}\n" for name, part in value.items()]
        return "{\n" + "".join(lines) + indent + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"{inner}{_hcl(part, inner)},\n" for part in value) + indent + "]"
    return _hcl_string(value) if isinstance(value, str) else str(value)


def _hcl_string(text: str) -> str:
    """A quoted literal: `${` and `%{` would begin a template."""
    quoted = json.dumps(_UNPRINTED.sub("�", text), ensure_ascii=False)
    return re.sub(r"([$%])(?=\{)", r"\1\1", quoted)
