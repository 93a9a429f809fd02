"""`docker-compose.yml` runs the processes of `make up`, apart."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from alertsite.runtime.topology import POOLS
from alertsite.settings.celery import QUEUES

REPOSITORY = Path(__file__).parents[2]
SERVICES = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "alertsite"}


def queues_of(command):
    return command[command.index("--queues") + 1].split(",") if "--queues" in command else []


def test_each_queue_has_one_kind_of_worker_in_compose():
    assert sorted(queue for service in OURS.values() for queue in queues_of(service["command"])) == sorted(
        QUEUES
    )


def test_each_queue_has_one_pool_on_one_machine():
    assert sorted(queue for pool in POOLS for queue in pool.queues) == sorted(QUEUES)


def test_pools_are_of_the_same_kind_in_both():
    in_compose = {
        tuple(queues_of(service["command"])): service["command"][service["command"].index("--pool") + 1]
        for service in OURS.values()
        if queues_of(service["command"])
    }
    assert in_compose == {pool.queues: pool.pool for pool in POOLS}


@pytest.mark.parametrize("name", sorted(OURS))
def test_command_names_something_that_exists(name):
    program, flag, module, *_ = OURS[name]["command"]
    assert program == "python"
    if flag == "-m":
        assert importlib.util.find_spec(module) is not None
    else:
        assert (REPOSITORY / flag).is_file()


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_long_running_service_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(set(OURS) - {"web", "flower", "migrate"}))
def test_worker_beats_where_its_health_check_looks(name):
    assert SERVICES[name]["environment"]["HEARTBEAT_FILE"] == SERVICES[name]["healthcheck"]["test"][-1]


def test_variables_of_our_processes_are_documented():
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    of_flower = {"CELERY_BROKER_URL", "FLOWER_BASIC_AUTH"}
    named = {name for service in OURS.values() for name in service["environment"]} - of_flower
    assert [name for name in sorted(named) if f"| `{name}` |" not in page] == []


def test_no_secret_has_a_default():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if any(part in name for part in ("SECRET", "KEYS", "POSTGRES_PASSWORD", "DATABASE_URL")):
                assert ":?" in value, name


def test_workers_have_replicas():
    assert all(
        service["deploy"]["replicas"] >= 1 for service in OURS.values() if queues_of(service["command"])
    )
