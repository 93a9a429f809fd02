"""The documented entry points of automation."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync

from alertsite.core.errors import InvalidParameter
from alertsite.runtime.schema import schema_of_migrations, store
from alertsite.tenancy.scope import platform_scope
from healing.automation.placing import Place
from healing.automation.rollouts import Canary, UnknownAlert, Watch
from healing.automation.tuning import Allowed, Measured, Sizes
from healing.models import HealingRun
from healing.playbooks.planner import compile_playbook
from rules.advanced_extensions import AutoHealingOrchestrator
from rules.automation import (
    DeploymentManager,
    DockerManager,
    KubernetesOrchestrator,
    MaintenanceScheduler,
    PerformanceOptimizer,
)
from rules.intelligent_ml_system import MultiCloudOrchestrator
from rules.models import Silence
from rules.services.silencing import SilenceDraft
from tests.factories.rows import NOON, make_tenant
from tests.fakes.clock import FakeClock

EXAMPLE = Path(__file__).parents[2] / "examples" / "playbooks" / "restart-service.yaml"


@pytest.fixture
def tenant(db):
    with platform_scope():
        yield make_tenant()


def test_deployment_manager_plans_what_compiles(tenant):
    manager = DeploymentManager(tenant.pk)

    compile_playbook(async_to_sync(manager.plan_canary)(Canary("prod", "web", "web-new", 4)))
    compile_playbook(async_to_sync(manager.plan_rolling)("prod", ["web", "worker-evaluate"]))


def test_a_rollout_watched_by_an_alert_that_nothing_raises_is_refused(tenant):
    manager = DeploymentManager(tenant.pk, Watch(("CanaryMising",)))

    with pytest.raises(UnknownAlert, match="no rule raises 'CanaryMising'; there are CanaryMissing"):
        async_to_sync(manager.plan_rolling)("prod", ["web"])


def test_deployment_manager_checks_the_schema(tmp_path):
    store(schema_of_migrations("1.0"), tmp_path)

    assert asyncio.run(DeploymentManager(uuid4()).check_schema("1.0", tmp_path)) == []


def test_optimizer_hands_on_what_is_proposed():
    allowed = Allowed(5.0, {"workers": (1, 8)})

    found = PerformanceOptimizer(allowed).propose(Measured(10.0, 0.3, 9.0), Sizes(2, 1, 10, 1000))

    assert [(one.subject, one.proposed) for one in found] == [("workers", 4)]


def test_maintenance_window_is_a_silence_with_its_author(tenant):
    window = SilenceDraft(
        ['service="db"'], NOON, NOON + timedelta(hours=2), "patching", Silence.Kind.MAINTENANCE
    )

    made = async_to_sync(MaintenanceScheduler(FakeClock(NOON)).schedule)(tenant.pk, window, "alice")

    kept = Silence.objects.for_tenant(tenant.pk).get(pk=made.pk)
    assert (kept.kind, kept.author) == ("maintenance", "alice")


def test_healing_door_rehearses_and_tells(tenant):
    door = AutoHealingOrchestrator(tenant.pk, "bot", FakeClock(NOON))
    saved = async_to_sync(door.save)(EXAMPLE.read_text(encoding="utf-8"))

    run = async_to_sync(door.rehearse)(saved.name, {"service": "web"})

    assert (run.dry, run.state) == (True, HealingRun.State.WAITING)
    assert async_to_sync(door.story)(run.pk)


@pytest.mark.parametrize("door", [KubernetesOrchestrator, DockerManager])
def test_account_that_is_malformed_is_refused(door):
    pytest.importorskip("kubernetes")
    pytest.importorskip("docker")

    with pytest.raises(InvalidParameter, match="settings"):
        door({"colour": "red"}, {})


def test_orchestrator_ranks_and_plans_the_move():
    here = Place("aws", "eu-west-1", "a", 1.0, 20.0, 0.5, 1.0)
    there = Place("gcp", "europe-west1", "b", 0.2, 20.0, 0.5, 1.0)
    orchestrator = MultiCloudOrchestrator()

    assert orchestrator.rank([here, there]).scores[0].place is there
    compile_playbook(orchestrator.plan_move("web", 2, here, there, "up == 1"))
