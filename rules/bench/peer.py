"""Measuring Prometheus on a workload: the same series, samples and rules, evaluated by the real program.

What is counted: CPU seconds, user and system, of the one `prometheus` process while its rule groups run, less
what it used for as long in the same state without rules. A pass is one evaluation of every rule, by its own
count of evaluations. What is not counted, as on our side: writing the samples. What differs: Prometheus runs
on its own clock, a group each second, over samples that do not change meanwhile, and it keeps the state of
alerts in memory, where a pass of ours also writes state and ledger to PostgreSQL.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import cramjam
import httpx
import numpy as np
import psutil
import yaml

from alertsite.core.clock import SystemClock
from rules.bench.ingest import varint
from rules.bench.web import BenchFailed
from rules.bench.workloads import HISTORY_TICKS, INTERVAL_MS, RULES_PER_GROUP, SampleSource, Workload
from rules.series.encoding import encode_labels, length_delimited

PROGRAM: Final = "prometheus"
SERIES_A_REQUEST: Final = 2000
WARM_UP_PASSES: Final = 3
SETTLE_S: Final = 3.0
IDLE_S: Final = 5.0
START_WITHIN_S: Final = 30.0
PASSES_WITHIN_S: Final = 240.0
POLL_S: Final = 1.0
EVALUATIONS: Final = "prometheus_rule_evaluations_total{"

_SERIES, _SAMPLE = 0x0A, 0x12  # field tags of a `WriteRequest` and of a `TimeSeries`


@dataclass(frozen=True, slots=True)
class PeerMeasured:
    """Figures of Prometheus on one workload; `peer_idle_cpu` is CPU seconds a second without rules."""

    peer_cpu_s_per_pass: float
    peer_passes: float
    peer_idle_cpu: float
    peer_rss_mb: float


def peer_is_installed() -> bool:
    """Whether there is a `prometheus` to compare with."""
    return shutil.which(PROGRAM) is not None


def measure_peer(work: Workload, passes: int) -> PeerMeasured:
    """Run at least `passes` passes of the workload.

    Raises
    ------
    BenchFailed
        If the program does not start, refuses what it gets or does not finish the passes in time.
    """
    with tempfile.TemporaryDirectory(prefix="alertsite-peer-") as home, _running(Path(home)) as peer:
        peer.write_history(work)
        time.sleep(SETTLE_S)
        idle = peer.idle_cpu(IDLE_S)
        peer.load_rules(work)
        warm = peer.wait_for(WARM_UP_PASSES * work.rules)
        cpu_s, began = peer.cpu_s(), time.perf_counter()
        time.sleep(float(passes))
        evaluations = peer.wait_for(warm + passes * work.rules) - warm
        spent = peer.cpu_s() - cpu_s - idle * (time.perf_counter() - began)
        done = evaluations / work.rules
        return PeerMeasured(spent / done, done, idle, peer.process.memory_info().rss / 1e6)


class _Peer:
    """One running Prometheus."""

    def __init__(self, home: Path, process: psutil.Process, http: httpx.Client) -> None:
        self.process = process
        self._home = home
        self._http = http

    def write_history(self, work: Workload) -> None:
        """The samples that our side has before its first pass, the last of them new."""
        for body in history_bodies(work, SystemClock().now_ms()):
            self._post("/api/v1/write", body)

    def load_rules(self, work: Workload) -> None:
        """Give it the rules and let it read them."""
        (self._home / "rules.yml").write_text(yaml.safe_dump(rule_file(work)), encoding="utf-8")
        self._post("/-/reload", b"")

    def wait_for(self, evaluations: int) -> int:
        """Wait until so many rules were evaluated; how many were."""
        deadline = time.monotonic() + PASSES_WITHIN_S
        while (seen := self._evaluations()) < evaluations:
            if time.monotonic() > deadline:
                raise BenchFailed(f"{PROGRAM} evaluated {seen} rules of {evaluations} in {PASSES_WITHIN_S} s")
            time.sleep(POLL_S)
        return seen

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def idle_cpu(self, seconds: float) -> float:
        """CPU seconds a second while nobody asks for anything."""
        before, began = self.cpu_s(), time.perf_counter()
        time.sleep(seconds)
        return (self.cpu_s() - before) / (time.perf_counter() - began)

    def _evaluations(self) -> int:
        lines = self._http.get("/metrics").text.splitlines()
        return round(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(EVALUATIONS)))

    def _post(self, path: str, body: bytes) -> None:
        answer = self._http.post(path, content=body, headers={"Content-Encoding": "snappy"})
        if answer.status_code >= 300:
            raise BenchFailed(f"{PROGRAM} answered {answer.status_code} at {path}: {answer.text[:200]}")


@contextmanager
def _running(home: Path) -> Iterator[_Peer]:
    """A Prometheus without rules on a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (home / "rules.yml").write_text("groups: []\n", encoding="utf-8")
    (home / "prometheus.yml").write_text("rule_files: [rules.yml]\n", encoding="utf-8")
    command = [
        PROGRAM,
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address={address}",
        "--web.enable-remote-write-receiver",
        "--web.enable-lifecycle",
        "--log.level=error",
    ]
    with (
        subprocess.Popen(command) as process,  # noqa: S603 (our own command)
        httpx.Client(base_url=f"http://{address}", timeout=60) as http,
    ):
        try:
            _wait_until_ready(http, process)
            yield _Peer(home, psutil.Process(process.pid), http)
        finally:
            process.terminate()


def _wait_until_ready(http: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if http.get("/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise BenchFailed(f"{PROGRAM} was not ready within {START_WITHIN_S:.0f} s")


def rule_file(work: Workload) -> Mapping[str, object]:
    """The rules as our side has them: as many a group, each with the same wait."""
    rules = [
        {"alert": f"Rule{number}", "expr": expr, "for": "60s"}
        for number, expr in enumerate(work.expressions())
    ]
    groups = [
        {"name": f"group {start:06d}", "interval": "1s", "rules": rules[start : start + RULES_PER_GROUP]}
        for start in range(0, len(rules), RULES_PER_GROUP)
    ]
    return {"groups": groups}


def history_bodies(work: Workload, now_ms: int) -> Iterator[bytes]:
    """Remote write requests with every sample of the history, each series once."""
    label_sets = work.label_sets()
    source = SampleSource(label_sets)
    times_ms = [now_ms - (HISTORY_TICKS - tick) * INTERVAL_MS for tick in range(1, HISTORY_TICKS + 1)]
    ticks = [source.at(tick, at_ms).values for tick, at_ms in enumerate(times_ms, start=1)]
    values = np.stack(ticks, axis=1)
    for start in range(0, len(label_sets), SERIES_A_REQUEST):
        part = zip(
            label_sets[start : start + SERIES_A_REQUEST],
            values[start : start + SERIES_A_REQUEST].tolist(),
            strict=True,
        )
        series = (encode_labels(labels) + b"".join(map(_sample, times_ms, row)) for labels, row in part)
        yield bytes(cramjam.snappy.compress_raw(b"".join(length_delimited(_SERIES, one) for one in series)))


@lru_cache(maxsize=1 << 12)  # a tick has few values
def _sample(timestamp_ms: int, value: float) -> bytes:
    """A `Sample` as a field of its `TimeSeries`."""
    return length_delimited(_SAMPLE, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(timestamp_ms))
