"""`manage.py up` on a machine of its own making: a fresh state directory and free ports."""

from __future__ import annotations

import signal
import urllib.request

import pytest

from alertsite.runtime.topology import POOLS
from tests.end_to_end.cluster import wait_for_end

pytestmark = pytest.mark.slow

PROCESSES = {"postgres", "valkey", "web", "beat", "flower", *(pool.name for pool in POOLS)}


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
