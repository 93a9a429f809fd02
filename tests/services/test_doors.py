"""The documented Python entry points."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from alertsite.tenancy.scope import platform_scope
from rules.core import (
    AlertRule,
    ConditionFactory,
    ConfigValidator,
    EvaluationResult,
    RuleContext,
    RuleFactory,
)
from rules.manager import EvaluationBatch, RuleEvaluator
from rules.models import Rule

ROOT = Path(__file__).resolve().parents[2]
BUSY = {"type": "threshold", "metric_path": "current_metrics.cpu_usage", "operator": ">", "threshold": 80.0}


@pytest.mark.parametrize(("value", "triggered"), [(81.0, True), (80.0, False)])
def test_rule_is_tried_on_a_context(value, triggered):
    rule = RuleFactory.create({"name": "Busy", "condition": BUSY})

    result = asyncio.run(rule.evaluate(RuleContext({"cpu_usage": value})))

    assert result.triggered is triggered


def test_batch_goes_on_after_a_rule_that_fails():
    rules = [
        AlertRule("Fails", "sum(("),
        RuleFactory.create({"name": "Busy", "condition": BUSY}),
    ]
    batch = EvaluationBatch(rules, RuleContext({"cpu_usage": 99.0}))

    results: list[EvaluationResult] = asyncio.run(RuleEvaluator().evaluate_batch(batch))

    assert results[0].error
    assert results[1].triggered


def test_validator_names_every_fault():
    errors = ConfigValidator.validate({"condition": "sum((", "severity": "awful", "colour": "red"})

    assert sorted(errors) == ["colour", "condition", "name", "severity"]


def test_condition_from_promql():
    condition = ConditionFactory.create("cpu_usage > 1")

    assert asyncio.run(condition.evaluate(RuleContext({"cpu_usage": 2.0})))


def test_quickstart_runs_as_its_page_says(transactional_db, redis_url):
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}:{quote(database['PASSWORD'])}@/{connection.get_connection_params()['dbname']}"
    host = quote(str(database["HOST"]), safe="")
    environment = os.environ | {  # noqa: TID251 (what a person has)
        "DATABASE_URL": f"{url}?host={host}",
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)

    ran = subprocess.run(
        [sys.executable, "examples/quickstart.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("MemoryInUse: firing, values [")
    with platform_scope():
        assert Rule.across_tenants.get().version == 1
