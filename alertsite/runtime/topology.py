"""Which processes a cluster is made of, and how each is started and asked for its health."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from alertsite.core.clock import Clock
from alertsite.runtime.binaries import Binaries
from alertsite.runtime.health import heartbeat_probe, http_probe, postgres_probe, redis_probe
from alertsite.runtime.processes import Pace, ProcessSpec
from alertsite.runtime.servers import Servers, postgres_command, valkey_command

CODE: Final = Path(__file__).resolve().parents[2]
HOST: Final = "127.0.0.1"

# Servers first and last; then web, so that samples find a door; what makes work comes after what does it.
TIER_VALKEY, TIER_POSTGRES, TIER_WEB, TIER_WORKERS, TIER_BEAT, TIER_FLOWER = range(6)


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """A Celery worker and the queues it serves. Threads where tasks wait, processes where they compute."""

    name: str
    queues: tuple[str, ...]
    pool: str
    concurrency: int


POOLS: Final = (
    WorkerPool("evaluate", ("evaluate",), "prefork", 2),
    WorkerPool("notify", ("notify",), "threads", 8),
    WorkerPool("heal", ("heal",), "threads", 2),
    WorkerPool("ingest", ("ingest",), "threads", 2),
    WorkerPool("upkeep", ("upkeep", "report"), "prefork", 1),
    WorkerPool("infer", ("infer",), "prefork", 1),
    WorkerPool("train", ("train", "optimise"), "prefork", 1),
)


@dataclass(frozen=True, slots=True)
class Site:
    """What the processes of one machine share."""

    environment: Mapping[str, str]
    heartbeats: Path
    web_port: int
    flower_port: int
    flower_credentials: str
    broker_url: str
    client: httpx.AsyncClient
    clock: Clock


def valkey_spec(servers: Servers, binaries: Binaries) -> ProcessSpec:
    """The embedded Valkey."""
    return ProcessSpec(
        name="valkey",
        command=valkey_command(servers, binaries),
        probe=redis_probe(servers.urls.redis),
        tier=TIER_VALKEY,
        environment={},
        directory=servers.home,
        account=servers.account,
        keeps_data=True,
    )


def postgres_spec(servers: Servers, binaries: Binaries) -> ProcessSpec:
    """The embedded PostgreSQL; SIGINT is its fast shutdown."""
    return ProcessSpec(
        name="postgres",
        command=postgres_command(servers, binaries),
        probe=postgres_probe(servers),
        tier=TIER_POSTGRES,
        environment={"LC_ALL": "C"},
        directory=servers.home,
        account=servers.account,
        stop_signal=signal.SIGINT,
        keeps_data=True,
        pace=Pace(probe_every_s=5.0),
    )


def application_specs(site: Site) -> list[ProcessSpec]:
    """Web, workers and beat, in the order of starting."""
    return [web_spec(site), *(worker_spec(site, pool) for pool in POOLS), beat_spec(site)]


def web_spec(site: Site) -> ProcessSpec:
    """The ASGI server."""
    address = ("--host", HOST, "--port", str(site.web_port))
    return ProcessSpec(
        name="web",
        command=python(
            "uvicorn", "alertsite.asgi:application", *address, "--no-access-log", "--lifespan", "off"
        ),
        probe=http_probe(site.client, f"http://{HOST}:{site.web_port}/healthz"),
        tier=TIER_WEB,
        environment=site.environment,
        directory=CODE,
    )


def worker_spec(site: Site, pool: WorkerPool) -> ProcessSpec:
    """One worker pool."""
    heartbeat = site.heartbeats / pool.name
    return ProcessSpec(
        name=pool.name,
        command=(
            *python("celery", "-A", "alertsite.celery", "worker", "--queues", ",".join(pool.queues)),
            *("--hostname", f"{pool.name}@%h", "--pool", pool.pool, "--concurrency", str(pool.concurrency)),
            *("--without-gossip", "--without-mingle"),
        ),
        probe=heartbeat_probe(heartbeat, site.clock),
        tier=TIER_WORKERS,
        environment={**site.environment, "HEARTBEAT_FILE": str(heartbeat)},
        directory=CODE,
    )


def beat_spec(site: Site) -> ProcessSpec:
    """The waker."""
    heartbeat = site.heartbeats / "beat"
    return ProcessSpec(
        name="beat",
        command=python("celery", "-A", "alertsite.celery", "beat", "--pidfile="),
        probe=heartbeat_probe(heartbeat, site.clock),
        tier=TIER_BEAT,
        environment={**site.environment, "HEARTBEAT_FILE": str(heartbeat)},
        directory=CODE,
    )


def flower_spec(site: Site) -> ProcessSpec:
    """The view of queues and workers. It gets the broker's address and its password, and no other secret."""
    address = (f"--address={HOST}", f"--port={site.flower_port}")
    return ProcessSpec(
        name="flower",
        command=python("celery", "flower", *address),
        probe=http_probe(site.client, f"http://{HOST}:{site.flower_port}/healthcheck"),
        tier=TIER_FLOWER,
        environment={"CELERY_BROKER_URL": site.broker_url, "FLOWER_BASIC_AUTH": site.flower_credentials},
        directory=CODE,
    )


def python(*arguments: str) -> tuple[str, ...]:
    """The command that runs a module with the interpreter that runs this."""
    return (sys.executable, "-m", *arguments)
