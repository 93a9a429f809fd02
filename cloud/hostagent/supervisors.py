"""Supervisors that the agent speaks to: systemd and runit, by their own programs, never through a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cloud.hostagent.agent import ServiceState, Supervisor

TIMEOUT_S: Final = 60

Run = Callable[[Sequence[str]], str]
"""Runs a program and gives what it wrote. Raises `OSError` if it fails."""


def run(arguments: Sequence[str]) -> str:
    """Run a program.

    Raises
    ------
    OSError
        If it is not there, takes too long, or says that it failed.
    """
    try:
        done = subprocess.run(  # noqa: S603 (programs of ours, names from the operator's list)
            list(arguments), capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        raise OSError(f"{arguments[0]} failed with {error.returncode}: {error.stderr[:300]}") from None
    except subprocess.TimeoutExpired:
        raise OSError(f"{arguments[0]} took longer than {TIMEOUT_S} s") from None
    return done.stdout


class Systemd:
    """Units of systemd."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def state(self, service: str) -> ServiceState:
        """Whether the unit is active, and its invocation."""
        asked = ["systemctl", "show", "--property=ActiveState,InvocationID", "--", service]
        values = dict(line.split("=", 1) for line in self._run(asked).splitlines() if "=" in line)
        return ServiceState(values.get("ActiveState") == "active", values.get("InvocationID", ""))

    def restart(self, service: str) -> None:
        """Restart the unit."""
        self._run(["systemctl", "restart", "--", service])


class Runit:
    """Services of runit."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def state(self, service: str) -> ServiceState:
        """Whether it runs, and its process."""
        status = self._run(["sv", "status", service])
        head, _, rest = status.partition(":")
        pid = rest.partition("(pid ")[2].partition(")")[0]
        return ServiceState(head.strip() == "run", pid)

    def restart(self, service: str) -> None:
        """Restart it and wait until it runs."""
        self._run(["sv", "restart", service])


SUPERVISORS: Final[Mapping[str, Callable[[Run], Supervisor]]] = {"systemd": Systemd, "runit": Runit}
"""By the name that the command takes."""
