"""`manage.py up` on a machine of its own making: a fresh state directory and free ports."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from alertsite.runtime.sandbox import temporary_directory
from alertsite.runtime.topology import POOLS

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
PROCESSES = {"postgres", "valkey", "web", "beat", "flower", *(pool.name for pool in POOLS)}
DOWN_WITHIN_S = 150


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Up:
    """One run of `manage.py up`, its output kept line by line."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.port, flower_port = free_port(), free_port()
        self.output = ""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "up", *options),
                *("--port", str(self.port), "--flower-port", str(flower_port)),
            ],
            cwd=REPOSITORY,
            env={"PATH": os.defpath, "ALERTSITE_STATE_DIR": str(state)},
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

    def finish(self):
        self.output += self.process.communicate(timeout=DOWN_WITHIN_S)[0]
        return self.process.returncode


@pytest.fixture
def start():
    started = []
    home = Path(tempfile.mkdtemp(prefix="alertsite-up-", dir=temporary_directory()))
    home.chmod(0o755)  # root's servers run under an account that must get there

    def start_up(*options):
        started.append(Up(home / "a state", *options))
        return started[-1]

    yield start_up
    for up in started:
        up.process.kill()
        up.process.communicate()
    assert wait_for_guardian(home / "a state") == []
    shutil.rmtree(home)


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_stops_in_order_and_leaves_nothing(start, number):
    up = start()
    up.wait_until_up()
    found, everything = up.running()
    assert set(found) == PROCESSES
    with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/healthz") as answer:
        assert answer.status == 200
    up.process.send_signal(number)
    assert up.finish() == 0, up.output
    stopped = [line.split()[0] for line in up.output.splitlines() if line.endswith(" stopped")]
    assert stopped[:2] == ["flower", "beat"]
    assert stopped[-3:] == ["web", "postgres", "valkey"]
    assert wait_for_end(everything) == []
    assert not (up.state / "processes.json").exists()


def test_second_start_keeps_the_data(start):
    first = start()
    first.wait_until_up()
    first.process.terminate()
    assert first.finish() == 0
    second = start()
    second.wait_until_up()
    assert "password: " in first.output
    assert "password: " not in second.output, "the operator was there already"


def test_nothing_is_left_after_kill_and_the_next_start_works(start):
    first = start()
    first.wait_until_up()
    _, everything = first.running()
    first.process.kill()
    assert wait_for_end(everything) == []
    start().wait_until_up()


def test_what_dies_is_started_again(start):
    up = start()
    up.wait_until_up()
    for name in ("postgres", "valkey", "web", "evaluate", "beat"):
        killed = up.running()[0][name]
        killed.kill()
        lines = up.lines_until(f"{name} healthy")
        assert any(line.startswith(f"{name} restarting: killed by SIGKILL") for line in lines), lines
        assert up.running()[0][name].pid != killed.pid


def test_check_follows_an_alert_from_metric_to_webhook(start):
    up = start("--check")
    up.wait_until_up()
    assert up.finish() == 0, up.output
    reached = [line.split(")  ")[1].split(":")[0] for line in up.output.splitlines() if " s  (+" in line]
    assert [words.split()[0] for words in reached] == ["host", "rule", "rule", "notification", "alert"]
    assert "check passed" in up.output


def test_second_supervisor_is_refused_in_one_line(start):
    first = start()
    first.wait_until_up()
    second = start()
    assert second.finish() == 1
    assert second.output == (
        f"manage.py up: already running in {first.state} as process {first.process.pid}\n"
    )
