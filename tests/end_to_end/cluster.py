"""A cluster of its own for a test: `manage.py up` in a fresh state directory, on free ports."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parents[2]
DOWN_WITHIN_S = 150


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Up:
    """One run of `manage.py up`, its output kept line by line."""

    def __init__(self, state: Path, *options: str, **variables: str) -> None:
        self.state = state
        self.port, flower_port = free_port(), free_port()
        self.output = ""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "up", *options),
                *("--port", str(self.port), "--flower-port", str(flower_port)),
            ],
            cwd=REPOSITORY,
            env={"PATH": os.defpath, "ALERTSITE_STATE_DIR": str(state), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_up(self):
        for line in self.process.stdout:
            self.output += line
            if line.startswith("flower: "):
                return
        pytest.fail(f"`up` ended:\n{self.output}")

    def lines_until(self, start):
        return list(itertools.takewhile(lambda line: not line.startswith(start), self.process.stdout))

    def running(self):
        recorded = json.loads((self.state / "processes.json").read_text())
        found = {entry["name"]: psutil.Process(entry["pid"]) for entry in recorded}
        family = [child for process in found.values() for child in process.children(recursive=True)]
        return found, [*found.values(), *family]

    def manage(self, *arguments):
        """The output of a `manage.py` command on this cluster."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env={"PATH": os.defpath, "ALERTSITE_STATE_DIR": str(self.state)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def finish(self):
        self.output += self.process.communicate(timeout=DOWN_WITHIN_S)[0]
        return self.process.returncode


def wait_for_guardian(state):
    """The guardian ends what a killed supervisor ran, then removes the record."""
    deadline = time.monotonic() + DOWN_WITHIN_S
    while (state / "processes.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return list(state.glob("processes.json"))


def wait_for_end(processes):
    deadline = time.monotonic() + DOWN_WITHIN_S
    left = processes
    while left and time.monotonic() < deadline:
        left = [each for each in left if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
        time.sleep(0.05)
    return left
