"""Embedded PostgreSQL and Valkey: how they are prepared, started and asked whether they live.

In: a home directory and passwords. Out: commands for whoever supervises processes, and URLs. Both servers
listen on Unix sockets in a private directory and on no port, so neither can find its port in use or be
reached by others.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil
import psycopg
import redis
from psycopg import sql

from alertsite.runtime.account import Account, lent_account, make_private, start_as
from alertsite.runtime.binaries import Binaries, locate_binaries
from alertsite.runtime.errors import CannotStart
from alertsite.runtime.text import last_line

MAX_SOCKET_PATH = 100  # bytes; the kernel's own bound is 108 on Linux, 104 on macOS
ADMIN = "postgres"
ROLE = "alertsite"
DATABASE = "alertsite"
PING_TIMEOUT_S = 3


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where a PostgreSQL and a Redis answer."""

    database: str
    redis: str


@dataclass(frozen=True, slots=True)
class Passwords:
    """Of the database's administrator, and of the role that owns the platform's database."""

    admin: str
    role: str


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the embedded servers keep things, and who they are."""

    home: Path
    sockets: Path
    account: Account | None
    passwords: Passwords

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "postgres"

    @property
    def valkey_data(self) -> Path:
        """Where Valkey keeps its append-only file."""
        return self.home / "valkey"

    @property
    def urls(self) -> ServerUrls:
        """The URLs the platform uses."""
        return urls_at(self.sockets, self.passwords.role)


def urls_at(sockets: Path, role_password: str, *, redis_database: int = 0) -> ServerUrls:
    """URLs of the servers whose sockets lie in the given directory."""
    host = quote_plus(str(sockets))
    return ServerUrls(
        database=f"postgresql://{ROLE}:{quote(role_password, safe='')}@/{DATABASE}?host={host}",
        redis=f"unix://{quote(str(sockets / 'valkey.sock'))}?db={redis_database}",
    )


def settle_servers(home: Path, passwords: Passwords) -> Servers:
    """Choose the account and make the directories of servers that live in `home`, which exists."""
    account = lent_account(home / "postgres")
    sockets = home / "run"
    if len(str(sockets / ".s.PGSQL.5432").encode()) > MAX_SOCKET_PATH:
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        sockets = Path(tempfile.gettempdir()) / f"alertsite-{digest}"
    servers = Servers(home, sockets, account, passwords)
    for directory in (sockets, servers.postgres_data, servers.valkey_data):
        make_private(directory, account)
    return servers


def prepare_postgres(servers: Servers, binaries: Binaries) -> None:
    """Make PostgreSQL's files unless they exist, and clear what a killed server left behind."""
    if (servers.postgres_data / "PG_VERSION").exists():
        clear_stale_pid(servers.postgres_data / "postmaster.pid")
        for socket in servers.sockets.glob(".s.PGSQL.*"):
            socket.unlink()
        return
    password_file = servers.sockets / "initdb-password"
    password_file.touch(mode=0o600)
    try:
        password_file.write_text(servers.passwords.admin, encoding="utf-8")
        if servers.account is not None:
            password_file.chmod(0o644)  # the directory is private to the account
        command = [
            *(str(binaries.initdb), "--pgdata", str(servers.postgres_data), "--username", ADMIN),
            *("--pwfile", str(password_file), "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
        ]
        done = subprocess.run(  # noqa: S603 (our own program and arguments)
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=servers.home,
            **start_as(servers.account),
        )
    finally:
        password_file.unlink()
    if done.returncode:
        raise CannotStart(f"initdb failed in {servers.postgres_data}: {last_line(done.stderr)}")


def clear_stale_pid(pid_file: Path) -> None:
    """Remove the file by which a dead PostgreSQL still claims its data; refuse if that one lives."""
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    try:
        holder = psutil.Process(pid)
        if holder.name() == "postgres" and holder.cwd() == str(pid_file.parent.resolve()):
            raise CannotStart(f"PostgreSQL (process {pid}) already runs in {pid_file.parent}: stop it first")
    except psutil.NoSuchProcess:
        pass
    pid_file.unlink()


def postgres_command(servers: Servers, binaries: Binaries, *, durable: bool = True) -> tuple[str, ...]:
    """PostgreSQL in the foreground. `durable=False` trades safety at power loss for speed: tests only."""
    options = {
        "listen_addresses": "",
        "unix_socket_directories": f'"{servers.sockets}"',
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return (str(binaries.postgres), "-D", str(servers.postgres_data), *settings)


def valkey_command(servers: Servers, binaries: Binaries, *, durable: bool = True) -> tuple[str, ...]:
    """Valkey in the foreground, with an append-only file when durable."""
    options = {
        "port": "0",
        "unixsocket": str(servers.sockets / "valkey.sock"),
        "unixsocketperm": "700",
        "databases": "64",
        "dir": str(servers.valkey_data),
        "appendonly": "yes" if durable else "no",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return (str(binaries.valkey), *(word for name, value in options.items() for word in (f"--{name}", value)))


def ensure_role_and_database(servers: Servers, *, may_create_databases: bool = False) -> None:
    """Create the platform's role, which row-level security binds, and its database, unless they exist."""
    password = sql.Literal(servers.passwords.role)
    role = sql.Identifier(ROLE)
    rights = sql.SQL("LOGIN NOSUPERUSER " + ("CREATEDB" if may_create_databases else "NOCREATEDB"))
    with connect_as_admin(servers) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(role, rights, password))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role))


def connect_as_admin(servers: Servers) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that may create roles and databases."""
    return psycopg.connect(
        host=str(servers.sockets),
        user=ADMIN,
        password=servers.passwords.admin,
        dbname=ADMIN,
        connect_timeout=PING_TIMEOUT_S,
        autocommit=True,
    )


def fault_of_postgres(servers: Servers) -> str:
    """Why PostgreSQL does not answer; empty when it does."""
    try:
        connect_as_admin(servers).close()
    except psycopg.OperationalError as error:
        return last_line(str(error))
    return ""


def fault_of_redis(url: str) -> str:
    """Why the Redis at `url` does not answer; empty when it does."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=PING_TIMEOUT_S, socket_connect_timeout=PING_TIMEOUT_S
        ) as client:
            client.ping()
    except redis.RedisError as error:
        return last_line(str(error))
    return ""


def find_binaries(servers: Servers) -> Binaries:
    """The programs, reachable by the servers' account."""
    return locate_binaries(servers.account, servers.home)
