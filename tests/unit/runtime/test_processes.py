"""Real processes, tiny ones: what the supervisor promises about starting, restarting and stopping."""

import asyncio
import dataclasses
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from alertsite.runtime.errors import CannotStart
from alertsite.runtime.leftovers import end_recorded, format_record, parse_record, record_of, write_record
from alertsite.runtime.processes import Pace, ProcessSpec, State
from alertsite.runtime.supervisor import Supervisor

QUICK = Pace(
    probe_every_s=0.05,
    first_probes_every_s=0.02,
    start_within_s=5,
    stop_within_s=1,
    first_pause_s=0.05,
    faults_allowed=2,
)

# Says hello, notes its end in a file that others note theirs in too, and takes a child along.
CHILD = """
import pathlib, signal, subprocess, sys, time
name, ends, ready = sys.argv[1:4]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
def end(*_):
    with open(ends, "a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "stubborn" else end)
print("hello from", name, flush=True)
pathlib.Path(ready).write_text(str(child.pid))
while True:
    time.sleep(0.02)
"""


class House:
    """Makes specs of tiny processes in one directory, and keeps what the supervisor tells of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ends = root / "ends"
        self.told: list[tuple[str, State]] = []
        self.faults: dict[str, str] = {}
        (root / "log").mkdir()
        self.supervisor = Supervisor(root / "log", root / "processes.json", self.note)

    def note(self, status):
        self.told.append((status.name, status.state))

    def ready(self, name: str) -> Path:
        return self.root / f"{name}.ready"

    def spec(self, name: str, *, tier: int = 0, command: tuple[str, ...] = ()) -> ProcessSpec:
        async def probe() -> str:
            return self.faults.get(name, "") if self.ready(name).exists() else "not ready"

        return ProcessSpec(
            name=name,
            command=command or (sys.executable, "-c", CHILD, name, str(self.ends), str(self.ready(name))),
            probe=probe,
            tier=tier,
            environment={},
            directory=self.root,
            pace=QUICK,
        )

    def pid(self, name: str) -> int:
        return next(status.pid for status in self.supervisor.statuses if status.name == name)

    def grandchild(self, name: str) -> psutil.Process:
        return psutil.Process(int(self.ready(name).read_text()))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def run(house, scenario):
    """Run a scenario, and stop what it started whatever becomes of it."""

    async def stop_after():
        try:
            await scenario()
        finally:
            await house.supervisor.stop()

    asyncio.run(stop_after())


async def until(holds, within_s=10.0):
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)


def has_ended(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_process_becomes_healthy_and_its_output_is_kept(house):
    async def scenario():
        house.supervisor.start([house.spec("web")])
        await house.supervisor.wait_healthy(["web"], 5)

    run(house, scenario)
    assert house.told == [
        ("web", State.STARTING),
        ("web", State.HEALTHY),
        ("web", State.STOPPING),
        ("web", State.STOPPED),
    ]
    assert (house.root / "log" / "web.log").read_text() == "hello from web\n"


def test_killed_process_is_restarted_and_its_children_end(house):
    async def scenario():
        house.supervisor.start([house.spec("web")])
        await house.supervisor.wait_healthy(["web"], 5)
        first, orphan = house.pid("web"), house.grandchild("web")
        os.kill(first, signal.SIGKILL)
        await until(lambda: house.told.count(("web", State.HEALTHY)) == 2)
        assert house.pid("web") != first
        assert house.supervisor.statuses[0].restarts == 1
        assert ("web", State.UNHEALTHY) not in house.told
        assert has_ended(orphan)

    run(house, scenario)
    assert ("web", State.RESTARTING) in house.told


def test_process_that_lives_but_does_not_answer_is_restarted(house):
    async def scenario():
        house.supervisor.start([house.spec("web")])
        await house.supervisor.wait_healthy(["web"], 5)
        first = house.pid("web")
        house.faults["web"] = "answers nonsense"
        await until(lambda: ("web", State.UNHEALTHY) in house.told)
        house.faults.clear()
        await until(lambda: house.supervisor.statuses[0].state is State.HEALTHY)
        assert house.pid("web") != first

    run(house, scenario)


def test_pauses_between_restarts_grow(house):
    pauses = []

    def note(status):
        if status.state is State.RESTARTING:
            pauses.append(status.detail)

    house.supervisor = Supervisor(house.root / "log", house.root / "processes.json", note)

    async def scenario():
        house.supervisor.start(
            [house.spec("bad", command=(sys.executable, "-c", "print('no disk'); raise SystemExit(3)"))]
        )
        await until(lambda: len(pauses) == 3)

    run(house, scenario)
    assert pauses == [
        "exited with 3 no disk; again in 0.05 s",
        "exited with 3 no disk; again in 0.1 s",
        "exited with 3 no disk; again in 0.2 s",
    ]


def test_tiers_stop_downwards(house):
    async def scenario():
        house.supervisor.start(
            [house.spec("database"), house.spec("web", tier=1), house.spec("beat", tier=2)]
        )
        await house.supervisor.wait_healthy(["database", "web", "beat"], 5)

    run(house, scenario)
    assert house.ends.read_text().split() == ["beat", "web", "database"]


def test_process_that_ignores_the_signal_is_killed(house):
    async def scenario():
        house.supervisor.start([house.spec("stubborn")])
        await house.supervisor.wait_healthy(["stubborn"], 5)
        house.stubborn = psutil.Process(house.pid("stubborn"))

    run(house, scenario)
    assert has_ended(house.stubborn)


def test_waiting_for_health_names_what_is_ill(house):
    async def scenario():
        house.supervisor.start([house.spec("web")])
        house.faults["web"] = "answers nonsense"
        with pytest.raises(CannotStart, match=r"not healthy after 0\.1 s: web"):
            await house.supervisor.wait_healthy(["web"], 0.1)

    run(house, scenario)


def test_missing_program_is_told_in_one_line(house):
    async def scenario():
        house.supervisor.start([house.spec("web", command=("/no/such/program",))])
        with pytest.raises(CannotStart, match="cannot run /no/such/program: No such file or directory"):
            await house.supervisor.wait_healthy(["web"], 5)

    run(house, scenario)


SUPERVISED = """
import asyncio, sys
from pathlib import Path
from alertsite.runtime.processes import ProcessSpec
from alertsite.runtime.supervisor import Supervisor

async def healthy():
    return ""

async def main(root):
    supervisor = Supervisor(root, root / "processes.json", lambda status: None)
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    supervisor.start([ProcessSpec(
        name="sleeper", command=sleeper, probe=healthy, tier=0, environment={}, directory=root)])
    await supervisor.wait_healthy(["sleeper"], 5)
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    "keep_state", [pytest.param(True, id="state kept"), pytest.param(False, id="state removed under it")]
)
def test_nothing_is_left_after_the_supervisor_was_killed(tmp_path, keep_state):
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISED, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as supervisor:
        assert supervisor.stdout.readline() == b"ready\n"
        (recorded,) = parse_record((tmp_path / "processes.json").read_text())
        sleeper = psutil.Process(recorded.pid)
        if not keep_state:
            (tmp_path / "processes.json").unlink()
        supervisor.kill()
    asyncio.run(until(lambda: has_ended(sleeper)))
    asyncio.run(until(lambda: not (tmp_path / "processes.json").exists()))


@pytest.fixture
def sleeper():
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    ) as process:
        yield process
        process.kill()


def test_next_start_ends_what_was_recorded(tmp_path, sleeper):
    write_record(tmp_path / "record", format_record([record_of("web", sleeper.pid, signal.SIGKILL)]))
    assert end_recorded(tmp_path / "record") == ["web"]
    assert sleeper.wait(5) == -signal.SIGKILL
    assert not (tmp_path / "record").exists()


def test_number_given_to_another_program_harms_nobody(tmp_path, sleeper):
    recorded = record_of("web", sleeper.pid, signal.SIGKILL)
    earlier = dataclasses.replace(recorded, started=recorded.started - 100)
    write_record(tmp_path / "record", format_record([earlier]))
    assert end_recorded(tmp_path / "record") == []
    assert sleeper.poll() is None


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param(None, id="no record"),
        pytest.param("", id="empty record"),
        pytest.param('[{"name": "web"}]', id="record of another version"),
    ],
)
def test_unreadable_record_ends_nothing(tmp_path, contents):
    if contents is not None:
        (tmp_path / "record").write_text(contents)
    assert end_recorded(tmp_path / "record") == []


def test_port_in_use_is_named():
    from alertsite.runtime.cluster import require_port

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} is in use: choose another with --port"):
            require_port(port, "--port")
    require_port(port, "--port")
