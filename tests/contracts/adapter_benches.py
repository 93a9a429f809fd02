"""A simulated provider for each adapter, with a step for each of its words."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any

import pytest

from cloud.adapters.protocol import Surroundings
from cloud.hostagent.agent import Agent, ServiceState
from cloud.simulators.server import Answer, Asked, FaultKind, SimulatorServer, World, serving

SECRET = "hunter2-and-then-some"
SURROUNDINGS = Surroundings(
    allow_private=True, allow_own_identity=False, monotonic=monotonic, resolver=lambda host: [host]
)


@dataclass
class Bench:
    """A provider, and how one sees what became of it."""

    server: SimulatorServer
    adapter: Any
    settings: Mapping[str, Any]
    credentials: Mapping[str, Any]
    steps: Mapping[str, Callable[[], Mapping[str, Any]]]
    """Parameters for each word, fit for the state of the moment."""
    picture: Callable[[], Any]
    """All that may change, with the identity of each thing."""
    shape: Callable[[], Any]
    """What an inverse brings back."""
    missing: Mapping[str, Any] = field(default_factory=dict)
    """Words with parameters that name nothing that is there; `*` for the others."""
    unfit: frozenset[FaultKind] = frozenset()
    """What this provider cannot say."""
    in_parts: frozenset[str] = frozenset()
    """Words of several calls: after a lost answer the rest is asked for again."""
    ready: Callable[[str], None] = lambda word: None

    @cached_property
    def session(self) -> Any:
        """One for all tests: to make an SDK's clients takes longer than to ask them."""
        return self.open()

    def open(self, **credentials: str) -> Any:
        adapter = self.adapter
        return adapter.open(
            adapter.settings(**self.settings), adapter.credentials(**{**self.credentials, **credentials})
        )


def needs(module: str) -> Any:
    """The module, or a skipped test: its extra is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        pytest.skip(f"needs the package {error.name}")


class Deployer(World):
    """A server that takes any request."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/missing":
            return Answer(404)
        if asked.method != "GET":
            self.taken.append(asked.path)
        return Answer(200, {"ok": True})

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:
        status = {"expired": 401, "forbidden": 403, "throttled": 429, "gone": 404, "unavailable": 503}[kind]
        return Answer(status, {}, {"Retry-After": "7"} if status == 429 else {})


@contextmanager
def http() -> Iterator[Bench]:
    from cloud.adapters.http.adapter import HttpAdapter

    world = Deployer()
    with serving(world) as server:
        yield Bench(
            server,
            HttpAdapter(SURROUNDINGS),
            {"base": server.url, "allow": ["POST /*"], "check": "/up"},
            {"headers": {"Authorization": f"Bearer {SECRET}"}},
            {"send_request": lambda: {"path": "/restart", "body": f'{{"note": "{SECRET}"}}'}},
            picture=lambda: list(world.taken),
            shape=lambda: None,
            unfit=frozenset({FaultKind.QUOTA}),
        )


@contextmanager
def kubernetes() -> Iterator[Bench]:
    adapter = needs("cloud.adapters.kubernetes.adapter")
    from cloud.simulators.kubernetes import furnished

    world = furnished()
    deployment = world.deployments["shop", "api"]

    def shape() -> Any:
        return {
            "size": deployment["spec"]["replicas"],
            "template": copy.deepcopy(deployment["spec"]["template"]),
            "closed": [node["spec"]["unschedulable"] for node in world.nodes.values()],
        }

    def ready(word: str) -> None:
        world.nodes["node-b"]["spec"]["unschedulable"] = word == "uncordon_node"
        world.refill()

    service = {"service": "api", "space": "shop"}
    sizes = {"size": lambda: 5 if deployment["spec"]["replicas"] == 3 else 3}
    with serving(world) as server:
        yield Bench(
            server,
            adapter.KubernetesAdapter(SURROUNDINGS),
            {"server": server.url},
            {"token": SECRET},
            {
                "restart_service": lambda: service,
                "scale_service": lambda: service | {"size": sizes["size"]()},
                "undo_rollout": lambda: service,
                "delete_pod": lambda: {"pod": min(world.pods)[1], "space": "shop"},
                "cordon_node": lambda: {"node": "node-b"},
                "uncordon_node": lambda: {"node": "node-b"},
                "drain_node": lambda: {"node": "node-b"},
            },
            picture=lambda: (shape(), sorted(world.pods)),
            shape=shape,
            missing={
                "delete_pod": {"pod": "nobody", "space": "shop"},
                "cordon_node": {"node": "nobody"},
                "uncordon_node": {"node": "nobody"},
                "drain_node": {"node": "nobody"},
                "*": {"service": "nobody", "space": "shop"},
            },
            ready=ready,
        )


@contextmanager
def aws() -> Iterator[Bench]:
    adapter = needs("cloud.adapters.aws.adapter")
    simulator = needs("cloud.simulators.aws")
    from tests.contracts.aws_estate import Estate

    with simulator.running_moto() as gate, serving(gate) as server:
        estate = Estate(server.url)
        yield Bench(
            server,
            adapter.AwsAdapter(SURROUNDINGS),
            {"regions": ["us-east-1"], "endpoint": server.url},
            {"access_key_id": "AKIDSIMULATED", "secret_access_key": SECRET},
            estate.steps(),
            picture=estate.picture,
            shape=estate.shape,
            missing=estate.missing(),
            ready=estate.ready,
        )


@contextmanager
def gcp() -> Iterator[Bench]:
    adapter = needs("cloud.adapters.gcp.adapter")
    from cloud.simulators.gcp import furnished

    world = furnished()
    zone = "europe-west1-b"
    machine, group = world.instances[zone, "web-1"], world.groups[zone, "workers"]

    def shape() -> Any:
        return machine["status"], group["targetSize"]

    def ready(word: str) -> None:
        machine["status"] = "TERMINATED" if word == "start_instance" else "RUNNING"

    with serving(world) as server:
        yield Bench(
            server,
            adapter.GcpAdapter(SURROUNDINGS),
            {"project": world.name, "zones": [zone], "endpoint": server.url},
            {"access_token": SECRET},
            {
                "restart_instance": lambda: {"instance": "web-1"},
                "start_instance": lambda: {"instance": "web-1"},
                "stop_instance": lambda: {"instance": "web-1", "place": zone},
                "scale_group": lambda: {"group": "workers", "size": 5 - group["targetSize"]},
                "replace_member": lambda: {"group": "workers", "instance": "workers-0"},
            },
            picture=lambda: (shape(), dict(world.boots), sorted(world.instances)),
            shape=shape,
            missing={
                "scale_group": {"group": "nobody"},
                "replace_member": {"group": "workers", "instance": "nobody"},
                "*": {"instance": "nobody"},
            },
            ready=ready,
        )


@contextmanager
def azure() -> Iterator[Bench]:
    adapter = needs("cloud.adapters.azure.adapter")
    from cloud.simulators.azure import furnished

    world = furnished()
    key = ("shop", "workers")

    def shape() -> Any:
        return dict(world.machines), dict(world.sets)

    def ready(word: str) -> None:
        world.machines["shop", "web-1"] = "stopped" if word == "start_instance" else "running"

    with serving(world) as server:
        yield Bench(
            server,
            adapter.AzureAdapter(SURROUNDINGS),
            {"subscription": world.id, "resource_groups": ["shop"], "endpoint": server.url},
            {"access_token": SECRET},
            {
                "restart_instance": lambda: {"instance": "web-1"},
                "start_instance": lambda: {"instance": "web-1"},
                "stop_instance": lambda: {"instance": "web-1", "place": "shop"},
                "scale_group": lambda: {"group": "workers", "size": 5 - world.sets[key]},
                "replace_member": lambda: {"group": "workers", "instance": "1"},
            },
            picture=lambda: (shape(), dict(world.boots)),
            shape=shape,
            missing={
                "scale_group": {"group": "nobody"},
                "replace_member": {"group": "workers", "instance": "99"},
                "*": {"instance": "nobody"},
            },
            ready=ready,
        )


@contextmanager
def docker() -> Iterator[Bench]:
    adapter = needs("cloud.adapters.docker.adapter")
    from cloud.simulators.docker import furnished

    world = furnished()
    service = {"service": "api", "space": "shop"}

    def ready(word: str) -> None:
        if len(world.images) == 1:
            world.images.append({"Id": f"sha256:{9:064x}", "Containers": 0, "Size": 1})

    with serving(world) as server:
        yield Bench(
            server,
            adapter.DockerAdapter(SURROUNDINGS),
            {"engine": server.url.replace("http", "tcp"), "stop_after_s": 0},
            {},
            {
                "restart_service": lambda: service,
                "scale_service": lambda: service | {"size": 5 - len(world.containers)},
                "prune_images": dict,
            },
            picture=lambda: (
                {name: one["State"]["StartedAt"] for name, one in world.containers.items()},
                list(world.images),
            ),
            shape=lambda: len(world.containers),
            missing={"prune_images": None, "*": {"service": "nobody"}},
            in_parts=frozenset({"restart_service"}),
            ready=ready,
        )


class Host(World):
    """An agent with a supervisor that counts."""

    def __init__(self) -> None:
        self.runs = {"nginx": 1, "secret-service": 1}
        self.agent = Agent(self, ["nginx"], SECRET)

    def state(self, service: str) -> ServiceState:
        return ServiceState(True, f"run-{self.runs[service]}")

    def restart(self, service: str) -> None:
        self.runs[service] += 1

    def answer(self, asked: Asked) -> Answer:
        return Answer(*self.agent.answer(asked.method, asked.path, asked.headers))

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:
        return Deployer().fault(kind, asked)


@contextmanager
def host() -> Iterator[Bench]:
    from cloud.adapters.host.adapter import HostAdapter

    world = Host()
    with serving(world) as server:
        yield Bench(
            server,
            HostAdapter(SURROUNDINGS),
            {"hosts": {"web1": server.url}, "services": ["nginx", "unlisted"]},
            {"token": SECRET},
            {"restart_host_service": lambda: {"host": "web1", "service": "nginx"}},
            picture=lambda: dict(world.runs),
            shape=lambda: None,
            missing={"*": {"host": "web1", "service": "unlisted"}},
            unfit=frozenset({FaultKind.QUOTA}),
        )


BENCHES: dict[str, Callable[[], Any]] = {
    bench.__name__: bench for bench in (http, kubernetes, aws, gcp, azure, docker, host)
}
