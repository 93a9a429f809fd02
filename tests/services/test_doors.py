"""The documented Python entry points."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from alertsite.core.errors import InvalidParameter
from alertsite.tenancy.scope import platform_scope
from ml.detectors.registry import DEEP
from rules import intelligent_ml_system
from rules.core import (
    AlertRule,
    ConditionFactory,
    ConfigValidator,
    EvaluationResult,
    RuleContext,
    RuleFactory,
)
from rules.intelligent_ml_system import (
    DeepAnomalyDetector,
    LSTMAutoencoder,
    MissingTorch,
    create_ultra_advanced_monitoring_system,
)
from rules.manager import EvaluationBatch, RuleEvaluator
from rules.models import Rule
from tests.factories.rows import make_tenant

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


def run_example(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An example as a person runs it, over the servers of the tests."""
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
    return subprocess.run(
        [sys.executable, f"examples/{name}", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_quickstart_runs_as_its_page_says(transactional_db, redis_url):
    ran = run_example("quickstart.py")

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("MemoryInUse: firing, values [")
    with platform_scope():
        assert Rule.across_tenants.get().version == 1


def test_the_example_of_models_tells_how_likely_alerts_are(transactional_db, redis_url):
    with platform_scope():
        make_tenant("sevres")
    ran = run_example("ml-integration.py", "sevres")

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("an alert within 24 hours: ")


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"colour": "red"}, id="unknown name"),
        pytest.param({"dl_architecture": "oracle"}, id="architecture"),
        pytest.param({"prediction_horizon": 169}, id="beyond a week"),
    ],
)
def test_a_system_of_models_refuses_what_it_does_not_know(config):
    with pytest.raises(InvalidParameter):
        asyncio.run(create_ultra_advanced_monitoring_system(config))


@pytest.mark.skipif(not DEEP, reason="torch is not installed")
def test_networks_are_made_with_the_documented_defaults():
    system = asyncio.run(create_ultra_advanced_monitoring_system())
    made = system["deep_detector"]()
    assert (made.architecture, made.sequence_length, made.hidden_units, made.contamination) == (
        "lstm_autoencoder", 50, 128, 0.1,
    )  # fmt: skip
    assert isinstance(LSTMAutoencoder(2, hidden_units=8), import_module("torch").nn.Module)


def test_without_torch_using_a_network_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(intelligent_ml_system, "find_spec", lambda name: None)
    with pytest.raises(MissingTorch, match="extra 'ml'"):
        DeepAnomalyDetector()
    with pytest.raises(MissingTorch):
        LSTMAutoencoder(2)
