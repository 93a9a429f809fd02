"""The state directory: where one machine's cluster keeps its data, logs and generated secrets.

Refused: a directory that cannot be written, and one that another supervisor uses. The lock is held by the
system and dies with its holder, so a stale lock file stops nobody.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from alertsite.runtime.account import lent_account
from alertsite.runtime.errors import CannotStart

SYSTEM_STATE = Path("/var/lib/alertsite")


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """Places under the root."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.root / "log"

    @property
    def secrets(self) -> Path:
        """Generated secrets, one a file, readable to the owner alone."""
        return self.root / "secrets"

    @property
    def heartbeats(self) -> Path:
        """One file a worker, touched while it lives."""
        return self.root / "heartbeat"

    @property
    def record(self) -> Path:
        """What the supervisor runs."""
        return self.root / "processes.json"

    @property
    def environment(self) -> Path:
        """The variables that other commands need to reach the running cluster."""
        return self.root / "environment.json"


def state_root(variables: Mapping[str, str]) -> Path:
    """`ALERTSITE_STATE_DIR`, or `var` beside the code."""
    named = variables.get("ALERTSITE_STATE_DIR", "")
    return Path(named).absolute() if named else Path(__file__).resolve().parents[2] / "var"


def open_state(root: Path) -> StateDirectory:
    """Make the directories of the state, or say in one line why they cannot be made."""
    state = StateDirectory(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for private in (state.logs, state.secrets, state.heartbeats):
            private.mkdir(exist_ok=True)
            private.chmod(0o700)
    except OSError as error:
        raise CannotStart(f"cannot write to the state directory {root}: {error.strerror}") from None
    if not os.access(root, os.W_OK | os.X_OK):
        raise CannotStart(f"cannot write to the state directory {root}: Permission denied")
    return state


def lock_state(state: StateDirectory) -> IO[str]:
    """Hold the state directory until the returned file is closed or this process ends, however it ends."""
    lock = (state.root / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise CannotStart(f"already running in {state.root} as process {holder}") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def secret_file(state: StateDirectory, name: str, make: Callable[[], str]) -> Path:
    """The file of a secret, made once and readable to its owner alone."""
    path = state.secrets / name
    if not path.exists():
        unfinished = path.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make() + "\n")
        unfinished.rename(path)
    return path


def read_secret(path: Path) -> str:
    """What a secret's file holds."""
    return path.read_text(encoding="utf-8").strip()


def server_home(state: StateDirectory) -> Path:
    """Where the embedded servers live: the state directory, unless their account cannot get there.

    That is so when root keeps the state under a private home; the servers then live under `SYSTEM_STATE`.
    """
    account = lent_account(state.root / "postgres")
    if account is None or account.can_reach(state.root):
        return state.root
    home = SYSTEM_STATE / hashlib.sha256(str(state.root).encode()).hexdigest()[:12]
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    return home


def embedded_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """What a command needs to reach the cluster of the state directory; nothing where a database is named."""
    if variables.get("DATABASE_URL") or variables.get("DATABASE_URL_FILE"):
        return {}
    try:
        found: dict[str, str] = json.loads(
            StateDirectory(state_root(variables)).environment.read_text("utf-8")
        )
    except (OSError, ValueError):
        return {}
    return found
