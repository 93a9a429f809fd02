"""The servers of one run of the tests, shared by its processes and gone with the last of them.

Whoever needs the servers calls `join`, which holds a shared lock on a file until the process ends, however
it ends. The first starts the keeper, a process that starts the servers and waits for an exclusive lock:
getting it means that nobody is left, so it stops the servers and removes their directory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from alertsite.runtime.account import lent_account, start_as
from alertsite.runtime.errors import CannotStart
from alertsite.runtime.servers import (
    Passwords,
    Servers,
    ServerUrls,
    ensure_role_and_database,
    fault_of_postgres,
    fault_of_redis,
    find_binaries,
    postgres_command,
    prepare_postgres,
    settle_servers,
    urls_at,
    valkey_command,
)

PASSWORDS: Final = Passwords(admin="sandbox", role="sandbox")  # the sockets lie in a private directory
REDIS_DATABASES: Final = 64
START_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 10.0
POLL_S: Final = 0.05
MAX_DEPTH: Final = 60


def sandbox_directory(name: str) -> Path:
    """Where the servers of the run `name` live; short, since a Unix socket's path holds about 100 bytes."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return temporary_directory() / f"alertsite-{digest}"


def temporary_directory() -> Path:
    """The directory for temporary files; /tmp where that is too deep or beyond the servers' account."""
    own = Path(tempfile.gettempdir())
    account = lent_account(Path(os.devnull))
    serves = len(str(own)) <= MAX_DEPTH and (account is None or account.can_reach(own))
    return own if serves else Path("/tmp")  # noqa: S108 (its child is private)


def sandbox_urls(name: str, *, redis_database: int) -> ServerUrls:
    """The URLs of the servers of the run `name`, whether they run yet or not."""
    sockets = sandbox_directory(name) / "run"
    return urls_at(sockets, PASSWORDS.role, redis_database=redis_database % REDIS_DATABASES)


def join(name: str) -> IO[bytes]:
    """Wait until the servers of the run `name` answer, starting them if nobody has.

    They live until every process that joined has ended or closed the file that this returns.
    """
    directory = sandbox_directory(name)
    lock = hold_shared(directory / "users.lock")
    with (directory / "start.lock").open("wb") as start_lock:
        fcntl.flock(start_lock, fcntl.LOCK_EX)
        if not (directory / "ready").exists():
            start_keeper(directory)
    return lock


def hold_shared(path: Path) -> IO[bytes]:
    """A shared lock on the file at `path`, and not on one that a keeper removed while we waited for it."""
    while True:
        path.parent.mkdir(mode=0o711, exist_ok=True)
        try:
            lock = path.open("ab")
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_SH)
        if path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
            return lock
        lock.close()


def start_keeper(directory: Path) -> None:
    """Start the keeper of `directory`, and wait until its servers answer."""
    with (directory / "keeper.log").open("wb") as log:
        started = subprocess.run(  # noqa: S603 (our own module)
            [sys.executable, "-m", "alertsite.runtime.sandbox", str(directory)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=False,
        )
    if started.returncode:
        raise CannotStart(f"the servers of the tests did not start: see {directory / 'keeper.log'}")


def wait_until(holds: Callable[[], bool], within_s: float) -> bool:
    """Whether the condition came to hold in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def keep_in_background(directory: Path) -> int:
    """Leave a keeper running; return 0 once its servers answer, 1 if it ended before."""
    ready, tell_ready = os.pipe()
    if os.fork() == 0:
        os.close(ready)
        keep(directory, lambda: os.close(tell_ready))
        return 0
    os.close(tell_ready)
    os.read(ready, 1)
    return 0 if (directory / "ready").exists() else 1


def keep(directory: Path, announce: Callable[[], None]) -> None:
    """Run the servers in `directory` until no process uses it, then remove it.

    1. Start both servers and wait until they answer; create role and database; touch `ready`; announce.
    2. Wait for the exclusive lock.
    3. Stop the servers, and remove the directory while still holding the lock, so that nobody joins a ruin.
    """
    servers = settle_servers(directory, PASSWORDS)
    binaries = find_binaries(servers)
    prepare_postgres(servers, binaries)
    running = [
        start_server(servers, valkey_command(servers, binaries, durable=False)),
        start_server(servers, postgres_command(servers, binaries, durable=False)),
    ]
    try:
        if wait_until(lambda: not faults_of(servers), START_WITHIN_S):
            ensure_role_and_database(servers, may_create_databases=True)
            (directory / "ready").touch()
            announce()
            lock = (directory / "users.lock").open("ab")
            fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        for process in reversed(running):
            stop_server(process)
    if (directory / "ready").exists():
        shutil.rmtree(directory)


def faults_of(servers: Servers) -> str:
    """What is wrong with the servers; empty when both answer."""
    return fault_of_redis(servers.urls.redis) or fault_of_postgres(servers)


def start_server(servers: Servers, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start a server in the servers' home, its output into the keeper's log."""
    return subprocess.Popen(command, cwd=servers.home, **start_as(servers.account))  # noqa: S603 (our command)


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """Stop a server of which nothing is to be kept."""
    process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; Valkey stops too
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(keep_in_background(Path(sys.argv[1])))
