"""The alert that the golden templates are filled with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rules.notify.templates import Sample, TemplateExpander

GOLDEN = Path(__file__).parents[2] / "golden" / "templates"
VALUE = 1234.5
SERIES = {"__name__": "m", "instance": "db1.example:9100", "job": "node", "empty": "x"}
UP = [({"instance": "b"}, 1.0), ({"instance": "a"}, 0.0)]
REGION = {"region": "eu"}
URL = "https://prom.example/base"


def make_expander(**values: Any) -> TemplateExpander:
    samples = [Sample({"__name__": "up", **labels}, value) for labels, value in UP]
    defaults = {
        "external_labels": REGION,
        "external_url": URL,
        "now_ms": 1_500_000_000_000,
        "query": lambda _: samples,
    }
    return TemplateExpander(**defaults | values)


def golden_cases(name: str) -> list[dict[str, str]]:
    cases: list[dict[str, str]] = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8"))
    return cases
