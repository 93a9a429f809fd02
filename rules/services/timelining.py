"""Timeline tests of files: the story in the file, with rules and routing of other files or of a tenant."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import yaml

from alertsite.core.errors import PlatformError
from rules.alerts.timelinefile import InvalidTimeline
from rules.alerts.timelines import run_timeline
from rules.language.engine import EvaluationLimits
from rules.language.yaml_depth import refuse_deep
from rules.notify.templates import TemplateExpander
from rules.services.configuring import export_alertmanager
from rules.services.exporting import export_rules

TIMEOUT_S: Final = 60.0
MAX_CHARACTERS: Final = 1_000_000


def differences_of_file(path: Path, tenant_id: UUID | None = None) -> list[str]:
    """What goes otherwise than the file expects; a faulty file is a difference.

    A file may leave rules and routing to others: `rule_files` (patterns) and `alertmanager` (a path), both
    beside it; or to a tenant, whose rules and routing serve for what the file does not say itself.
    """
    try:
        document = _read(path.read_text(encoding="utf-8"))
        _take_rules(document, path.parent, tenant_id)
        _take_routing(document, path.parent, tenant_id)
        return _differences(yaml.safe_dump(document))
    except (PlatformError, OSError, UnicodeDecodeError) as error:
        return [str(error)]


def _differences(text: str) -> list[str]:
    deadline = time.monotonic() + TIMEOUT_S
    limits = EvaluationLimits(out_of_time=lambda: time.monotonic() > deadline)
    return [str(one) for one in run_timeline(text, TemplateExpander(), limits).differences]


def _read(text: str) -> dict[str, Any]:
    """A YAML mapping.

    Raises
    ------
    InvalidTimeline
        If it is none, too long, or nested too deep.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidTimeline(f"file has {len(text)} characters, limit is {MAX_CHARACTERS}")
    try:
        refuse_deep(text)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidTimeline(f"not YAML: {error}") from None
    if not isinstance(document, dict):
        raise InvalidTimeline("a mapping is expected")
    return document


def _take_rules(document: dict[str, Any], folder: Path, tenant_id: UUID | None) -> None:
    patterns = document.pop("rule_files", [])
    texts = [
        file.read_text(encoding="utf-8") for pattern in patterns for file in sorted(folder.glob(str(pattern)))
    ]
    if not texts and tenant_id is not None and "rules" not in document:
        texts = [export_rules(tenant_id, "prometheus")]
    rules = [rule for text in texts for group in _read(text).get("groups") or () for rule in group["rules"]]
    if rules:
        document["rules"] = [*document.get("rules", ()), *rules]


def _take_routing(document: dict[str, Any], folder: Path, tenant_id: UUID | None) -> None:
    """Route, inhibition and time intervals in the terms of a timeline."""
    file = document.pop("alertmanager", None)
    if file is not None:
        text = (folder / str(file)).read_text(encoding="utf-8")
    elif tenant_id is not None and "route" not in document:
        text = export_alertmanager(tenant_id)
    else:
        return
    config = _read(text) if text else {}
    if "route" in config:
        document.setdefault("route", config["route"])
    document.setdefault("inhibit", [_inhibition(rule) for rule in config.get("inhibit_rules") or ()])
    named = [*(config.get("time_intervals") or ()), *(config.get("mute_time_intervals") or ())]
    document.setdefault("intervals", {one["name"]: one["time_intervals"] for one in named})


def _inhibition(rule: dict[str, Any]) -> dict[str, Any]:
    sides = {side: ",".join(rule.get(f"{side}_matchers") or ()) for side in ("source", "target")}
    return {**sides, "equal": rule.get("equal") or []}
