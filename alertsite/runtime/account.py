"""Which account embedded servers run as, and what that account can reach.

PostgreSQL refuses to run as root, so root lends it an unprivileged account; an ordinary user runs it as
itself.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alertsite.runtime.errors import CannotStart

UNPRIVILEGED: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its main group."""

    uid: int
    gid: int

    def can_reach(self, path: Path) -> bool:
        """Whether every directory down to `path` lets this account through, and `path` itself be read."""
        target = path.resolve()
        return all(self._may(place, stat.S_IXOTH) for place in target.parents) and self._may(
            target, stat.S_IROTH
        )

    def _may(self, place: Path, wanted: int) -> bool:
        status = place.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return bool(status.st_mode & (wanted << shift))


def lent_account(previous: Path) -> Account | None:
    """The account that servers must run as, or None when it is our own.

    The owner of `previous`, a data directory that may not exist yet, comes first: its files are readable to
    nobody else, and which accounts a machine has changes over time.
    """
    if os.geteuid() != 0:
        return None
    if previous.exists() and previous.stat().st_uid != 0:
        owner = previous.stat()
        return Account(owner.st_uid, owner.st_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise CannotStart(
        "PostgreSQL refuses to run as root and this machine has no user "
        f"{' or '.join(UNPRIVILEGED)}: create one, or start as an ordinary user"
    )


def make_private(directory: Path, account: Account | None) -> None:
    """Make `directory` if need be, for `account` (None: us) alone."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        if account is not None:
            os.chown(directory, account.uid, account.gid)
    except OSError as error:
        raise CannotStart(f"cannot write to {directory}: {error.strerror}") from None


def start_as(account: Account | None) -> dict[str, Any]:
    """Arguments of `subprocess.Popen` that start a program under `account` and no other group."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}
