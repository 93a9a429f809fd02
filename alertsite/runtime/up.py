"""`manage.py up`: start everything on this machine, show its health, stop it in order.

In: command-line options and the environment. Out: exit code 0 after an orderly stop; 1 and one line on
standard error when something stands in the way. It runs without Django's settings: they need the servers
that it starts.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import httpx

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from alertsite.runtime.check import WITHIN_S, Rest, set_scene, steps_of, timeline_row, walk
from alertsite.runtime.cluster import Cluster, Ports
from alertsite.runtime.inbox import open_inbox
from alertsite.runtime.names import CHECK_USER, DEMO_TENANT
from alertsite.runtime.screen import choose_screen
from alertsite.runtime.state import StateDirectory, lock_state, open_state, state_root
from alertsite.runtime.supervisor import Supervisor
from alertsite.runtime.topology import HOST

PROBE_TIMEOUT_S = 5.0


def run_up(arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run until told to stop; return the exit code."""
    options = parse_options(arguments)
    try:
        state = open_state(state_root(variables))
        with lock_state(state):
            asyncio.run(run_cluster(state, options, variables))
    except PlatformError as error:
        sys.stderr.write(f"manage.py up: {error.detail}\n")
        return 1
    return 0


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of `up`."""
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Run the whole cluster on this machine."
    )
    parser.add_argument("--port", type=int, default=8000, help="of the web server")
    parser.add_argument("--flower-port", type=int, default=5555, help="of Flower")
    parser.add_argument(
        "--check", action="store_true", help="follow one alert from metric to webhook, print when, and stop"
    )
    return parser.parse_args(arguments)


async def run_cluster(
    state: StateDirectory, options: argparse.Namespace, variables: Mapping[str, str]
) -> None:
    """Start the cluster, wait for a signal to stop, and stop it, also when starting fails."""
    screen = choose_screen(sys.stdout)
    supervisor = Supervisor(state.logs, state.record, screen.show)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Probes stay on this machine: no proxy, and no certificates to load.
    async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False, verify=False) as client:  # noqa: S501
        ports = Ports(options.port, options.flower_port)
        clock = SystemClock()
        cluster = Cluster(state, ports, variables, screen, supervisor, client, clock, options.check)
        try:
            await unless_stopped(run_and_check(cluster) if options.check else run_forever(cluster), stop)
        finally:
            await supervisor.stop()


async def run_forever(cluster: Cluster) -> None:
    """Start the cluster and leave it to its supervisor."""
    await cluster.start()
    await asyncio.Event().wait()


async def run_and_check(cluster: Cluster) -> None:
    """Start the cluster, then follow one alert through it and say when each step was reached."""
    passwords = await cluster.start()
    rest = Rest(cluster.client, f"http://{HOST}:{cluster.ports.web}", DEMO_TENANT)
    await rest.sign_in(CHECK_USER, passwords[CHECK_USER])
    with open_inbox() as inbox:
        async with set_scene(rest, inbox) as scene:
            steps = steps_of(rest, inbox, scene)
            async for reached in walk(steps, within_s=WITHIN_S, now_s=time.monotonic):
                cluster.screen.say(timeline_row(reached))
    cluster.screen.say("check passed")


async def unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Do the work, or give it up when told to stop."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        working.result()
        return
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
