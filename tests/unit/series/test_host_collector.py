"""The host collector: percentages by arithmetic, and a look at the machine that the test runs on."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.labels import METRIC_NAME
from rules.series.backends.memory import MemorySeries
from rules.series.collectors.host import Counters, HostCollector, usage_readings

NOW_MS = 1_700_000_000_000
LINK = "no-such-device"  # its speed is not stated, so a gigabit a second is assumed


@pytest.mark.parametrize(
    ("previous", "current", "expected"),
    [
        pytest.param(
            Counters(0, 10, 100, {}), Counters(1, 13, 104, {}), {"cpu_usage": 75.0}, id="busy 3 of 4 s"
        ),
        pytest.param(Counters(0, 10, 100, {}), Counters(1, 10, 104, {}), {"cpu_usage": 0.0}, id="idle"),
        pytest.param(
            Counters(0, 10, 100, {}), Counters(1, 9, 104, {}), {"cpu_usage": 0.0}, id="never below zero"
        ),
        pytest.param(Counters(0, 10, 100, {}), Counters(1, 10, 100, {}), {}, id="no CPU time passed"),
        pytest.param(
            Counters(0, 0, 0, {LINK: 0}),
            Counters(2, 0, 0, {LINK: 125_000_000}),
            {"network_usage": 50.0},
            id="half a link",
        ),
        pytest.param(Counters(0, 0, 0, {}), Counters(2, 0, 0, {LINK: 5}), {}, id="a link just found"),
        pytest.param(Counters(2, 0, 0, {LINK: 0}), Counters(2, 0, 0, {LINK: 5}), {}, id="no time passed"),
    ],
)
def test_usage(previous, current, expected):
    found = {item.labels[METRIC_NAME]: item.value for item in usage_readings(previous, current)}
    assert found == pytest.approx(expected)


@pytest.fixture(scope="module")
def collected():
    pauses = []
    collector = HostCollector("host-1", "node", pause=pauses.append)
    batches = [collector.collect(NOW_MS), collector.collect(NOW_MS + 15_000)]
    assert pauses == [0.1]  # the first reading alone waits for a second one
    return batches[1]


def values(batch, name):
    names = [dict(labels)[METRIC_NAME] for labels in batch.label_sets]
    return [value for found, value in zip(names, batch.values.tolist(), strict=True) if found == name]


@pytest.mark.parametrize(
    "name",
    [
        "node_cpu_seconds_total",
        "node_memory_MemTotal_bytes",
        "node_memory_MemAvailable_bytes",
        "node_filesystem_avail_bytes",
        "node_network_receive_bytes_total",
        "node_load1",
        "node_boot_time_seconds",
        "node_uname_info",
        "namedprocess_namegroup_memory_bytes",
    ],
)
def test_the_machine_has(collected, name):
    assert values(collected, name)


@pytest.mark.parametrize("name", ["cpu_usage", "memory_usage", "swap_usage", "disk_usage", "network_usage"])
def test_percentages_are_percentages(collected, name):
    assert all(0 <= value <= 100 for value in values(collected, name))


def test_a_collection_is_stored_whole(collected):
    receipt = MemorySeries().append(collected, now_ms=NOW_MS + 15_000)
    assert receipt.accepted == len(collected.label_sets) == len(set(collected.label_sets))
    assert (collected.timestamps_ms == NOW_MS + 15_000).all()
    assert np.isfinite(collected.values).all()
    assert all(
        dict(labels)["instance"] == "host-1" and dict(labels)["job"] == "node"
        for labels in collected.label_sets
    )


def test_processes_are_bounded(collected):
    assert len(values(collected, "namedprocess_namegroup_num_procs")) <= 30
