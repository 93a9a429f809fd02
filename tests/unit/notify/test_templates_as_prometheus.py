"""The golden templates, filled by Prometheus itself where promtool is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.unit.notify.template_world import REGION, SERIES, UP, URL, VALUE, golden_cases

_ANNOTATION = re.compile(r'(c\d+)=("(?:[^"\\]|\\.)*")')


def to_json(quoted: str) -> str:
    """Go's escapes in terms of JSON's."""
    text = re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", quoted)
    return text.replace(r"\a", r"\u0007").replace(r"\v", r"\u000b")


@pytest.mark.parametrize("name", ["language", "printf", "functions"])
def test_prometheus_agrees(name, tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    cases = golden_cases(name)
    # In the order of `UP`: Prometheus gives the elements of an unsorted query in any.
    templates = [case["template"].replace('"up"', '"sort_desc(up)"') for case in cases]
    annotations = {f"c{number}": template for number, template in enumerate(templates)}
    rules = {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "m", "annotations": annotations}]}]}
    labels = {label: value for label, value in SERIES.items() if label != "__name__"}
    series = [(f"m{json.dumps(labels)}", VALUE), *((f"up{json.dumps(of)}", value) for of, value in UP)]
    unit = {
        "interval": "1m",
        "external_url": URL,
        "external_labels": REGION,
        "input_series": [
            {"series": re.sub(r'"(\w+)": ', r"\1=", text), "values": f"{value}x5"} for text, value in series
        ],
        "alert_rule_test": [{"eval_time": "1m", "alertname": "A", "exp_alerts": []}],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "unit.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [unit]}))
    run = subprocess.run(
        [promtool, "test", "rules", tmp_path / "unit.yml"], check=False, capture_output=True, text=True
    )
    found = dict(_ANNOTATION.findall(run.stdout + run.stderr))
    assert len(found) == len(cases), run.stdout + run.stderr
    theirs = {case["name"]: json.loads(to_json(found[f"c{number}"])) for number, case in enumerate(cases)}
    assert theirs == {case["name"]: case["expected"] for case in cases}
