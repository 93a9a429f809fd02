"""What the person at the terminal sees: a table that renews itself, or lines where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Final, Protocol, TextIO

from alertsite.runtime.processes import State, Status

COLOURS: Final = {
    State.HEALTHY: "32",
    State.STARTING: "33",
    State.RESTARTING: "33",
    State.UNHEALTHY: "31",
    State.STOPPING: "33",
    State.STOPPED: "90",
}
DETAIL_COLUMN: Final = 44


class Screen(Protocol):
    """Shows sentences and statuses."""

    def say(self, text: str) -> None:
        """Show a sentence that stays."""

    def show(self, status: Status) -> None:
        """Show that a process's status changed."""


class Lines:
    """One line a change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        """Show a sentence that stays."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def show(self, status: Status) -> None:
        """Show that a process's status changed."""
        process = f" (process {status.pid})" if status.pid and status.state is State.HEALTHY else ""
        detail = f": {status.detail}" if status.detail else ""
        self.say(f"{status.name} {status.state}{process}{detail}")


class Table:
    """One row a process, drawn over the rows drawn before."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._statuses: dict[str, Status] = {}
        self._drawn = 0

    def say(self, text: str) -> None:
        """Show a sentence that stays, above the table."""
        self._erase()
        self._stream.write(f"{text}\n")
        self._draw()

    def show(self, status: Status) -> None:
        """Show that a process's status changed."""
        self._statuses[status.name] = status
        self._erase()
        self._draw()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")

    def _draw(self) -> None:
        rows = table_rows(list(self._statuses.values()), columns=shutil.get_terminal_size().columns)
        self._stream.writelines(f"{row}\n" for row in rows)
        self._stream.flush()
        self._drawn = len(rows)


def table_rows(statuses: Sequence[Status], *, columns: int) -> list[str]:
    """The table, line by line, none wider than the terminal; nothing for no processes."""
    if not statuses:
        return []
    rows = [f"{'process':<12}{'state':<12}{'pid':>8}{'restarts':>10}  detail"]
    for status in statuses:
        state = f"\x1b[{COLOURS[status.state]}m{status.state:<12}\x1b[0m"
        detail = status.detail[: max(0, columns - DETAIL_COLUMN)]
        rows.append(f"{status.name:<12}{state}{status.pid or '-':>8}{status.restarts:>10}  {detail}".rstrip())
    return rows


def choose_screen(stream: TextIO) -> Screen:
    """A table for a terminal, lines for a file or pipe."""
    return Table(stream) if stream.isatty() else Lines(stream)
