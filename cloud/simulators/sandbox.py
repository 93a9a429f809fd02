"""All simulators at once: each provider with a small estate, on a loopback port.

Which providers are wanted goes in; how an account reaches each comes out. AWS needs the extra `sandbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import boto3

from cloud.simulators import aws, azure, docker, gcp, kubernetes
from cloud.simulators.server import SimulatorServer, serving

ACCESS: Final = "simulated-access"
"""What the simulators take for a secret: they look at none."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A provider that runs here, and an account of it."""

    url: str
    settings: Mapping[str, Any]
    credentials: Mapping[str, Any]

    def account(self, provider: str) -> dict[str, Any]:
        """The body of `POST /api/cloud-accounts/`."""
        return {
            "name": f"sandbox-{provider}",
            "provider": provider,
            "settings": dict(self.settings),
            "credentials": dict(self.credentials),
        }


@contextmanager
def _aws() -> Iterator[Simulated]:
    with aws.running_moto() as gate, serving(gate) as server:
        keys = {"aws_access_key_id": "AKIDSIMULATED", "aws_secret_access_key": ACCESS}
        aws.furnish(
            lambda service: boto3.client(service, region_name="us-east-1", endpoint_url=server.url, **keys)
        )
        yield Simulated(
            server.url,
            {"regions": ["us-east-1"], "endpoint": server.url},
            {"access_key_id": "AKIDSIMULATED", "secret_access_key": ACCESS},
        )


@contextmanager
def _gcp() -> Iterator[Simulated]:
    project = gcp.furnished()
    with serving(project) as server:
        settings = {"project": project.name, "zones": ["europe-west1-b"], "endpoint": server.url}
        yield Simulated(server.url, settings, {"access_token": ACCESS})


@contextmanager
def _azure() -> Iterator[Simulated]:
    subscription = azure.furnished()
    with serving(subscription) as server:
        settings = {
            "subscription": subscription.id,
            "resource_groups": ["shop"],
            "endpoint": server.url,
        }
        yield Simulated(server.url, settings, {"access_token": ACCESS})


@contextmanager
def _kubernetes() -> Iterator[Simulated]:
    with serving(kubernetes.furnished()) as server:
        yield Simulated(server.url, {"server": server.url, "namespace": "shop"}, {"token": ACCESS})


@contextmanager
def _docker() -> Iterator[Simulated]:
    with serving(docker.furnished()) as server:
        yield Simulated(server.url, {"engine": _tcp(server)}, {})


def _tcp(server: SimulatorServer) -> str:
    return server.url.replace("http://", "tcp://")


SIMULATED: Final[Mapping[str, Callable[[], AbstractContextManager[Simulated]]]] = {
    "aws": _aws,
    "azure": _azure,
    "docker": _docker,
    "gcp": _gcp,
    "kubernetes": _kubernetes,
}


@contextmanager
def running(providers: tuple[str, ...] = tuple(SIMULATED)) -> Iterator[dict[str, Simulated]]:
    """The wanted providers, until the end."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(SIMULATED[name]()) for name in providers}
