"""One machine's whole cluster, from an empty directory to healthy processes, and back.

In: a state directory, ports, and variables; `DATABASE_URL` and `REDIS_URL` select servers that run
elsewhere. Out: a running `Supervisor`. Refused, each in one line: a port in use, a missing library, a
failed migration.
"""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import json
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx
from cryptography.fernet import Fernet

from alertsite.core.clock import Clock
from alertsite.runtime.errors import CannotStart
from alertsite.runtime.leftovers import end_recorded
from alertsite.runtime.names import DEMO_TENANT, OPERATOR
from alertsite.runtime.screen import Screen
from alertsite.runtime.servers import (
    Passwords,
    Servers,
    ensure_role_and_database,
    find_binaries,
    prepare_postgres,
    settle_servers,
)
from alertsite.runtime.state import StateDirectory, read_secret, secret_file, server_home
from alertsite.runtime.supervisor import Supervisor
from alertsite.runtime.text import last_line
from alertsite.runtime.topology import (
    CODE,
    HOST,
    Site,
    application_specs,
    flower_spec,
    postgres_spec,
    valkey_spec,
)
from alertsite.settings.broker import broker_from_redis
from alertsite.settings.env import Environment

LIBRARIES: Final = ("django", "rest_framework", "celery", "flower", "uvicorn", "numpy", "psycopg", "redis")
SERVERS_WITHIN_S: Final = 60.0
APPLICATION_WITHIN_S: Final = 120.0
PREPARE_WITHIN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where web and Flower listen on the loopback address."""

    web: int
    flower: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """What starting a cluster needs."""

    state: StateDirectory
    ports: Ports
    variables: Mapping[str, str]
    screen: Screen
    supervisor: Supervisor
    client: httpx.AsyncClient
    clock: Clock
    checked: bool
    """Whether a check follows, which signs in and receives webhooks on this machine."""

    async def start(self) -> dict[str, str]:
        """Bring everything up; return the passwords that were made on the way, by user.

        1. End what a killed supervisor left; check libraries and ports.
        2. Start the embedded servers that no variable replaces, and create role and database.
        3. Migrate, create the operator, load the demo tenant.
        4. Start web, workers, beat and Flower, and wait until each is healthy.
        """
        for name in end_recorded(self.state.record):
            self.screen.say(f"ended {name}, left behind by a supervisor that was killed")
        require_libraries()
        for port, option in ((self.ports.web, "--port"), (self.ports.flower, "--flower-port")):
            require_port(port, option)
        for heartbeat in self.state.heartbeats.iterdir():
            heartbeat.unlink()
        environment = self._generated_variables() | await self._start_servers()
        self.state.environment.write_text(json.dumps(environment), encoding="utf-8")
        environment = {**self.variables, **environment}
        passwords = await self._prepare(environment)
        await self._start_application(environment)
        return passwords

    def _generated_variables(self) -> dict[str, str]:
        """Secrets generated once, and what else the environment leaves open."""
        makers = {"SECRET_KEY": lambda: secrets.token_urlsafe(48), "FIELD_ENCRYPTION_KEYS": make_fernet_key}
        generated = {
            f"{name}_FILE": str(secret_file(self.state, name.lower(), make))
            for name, make in makers.items()
            if not is_given(self.variables, name)
        }
        defaults = {"PUBLIC_URL": f"http://{HOST}:{self.ports.web}", "HOST_METRICS_TENANT": DEMO_TENANT}
        if self.checked:
            generated["ALLOW_PRIVATE_WEBHOOKS"] = "true"
        return generated | {name: value for name, value in defaults.items() if not self.variables.get(name)}

    async def _start_servers(self) -> dict[str, str]:
        """Start the servers that are not given; return the variables that name them."""
        wants_postgres, wants_valkey = (
            not is_given(self.variables, name) for name in ("DATABASE_URL", "REDIS_URL")
        )
        if not (wants_postgres or wants_valkey):
            return {}
        servers = self._settle_servers()
        binaries = find_binaries(servers)
        named = {}
        if wants_valkey:
            self.supervisor.start([valkey_spec(servers, binaries)])
            named["REDIS_URL"] = servers.urls.redis
        if wants_postgres:
            await asyncio.to_thread(prepare_postgres, servers, binaries)
            self.supervisor.start([postgres_spec(servers, binaries)])
            url_file = secret_file(self.state, "database_url", lambda: servers.urls.database)
            url_file.write_text(servers.urls.database + "\n", encoding="utf-8")  # the place may have moved
            named["DATABASE_URL_FILE"] = str(url_file)
        started = [status.name for status in self.supervisor.statuses]
        await self.supervisor.wait_healthy(started, SERVERS_WITHIN_S)
        if wants_postgres:
            await asyncio.to_thread(ensure_role_and_database, servers)
        return named

    def _settle_servers(self) -> Servers:
        admin, role = (
            read_secret(secret_file(self.state, name, lambda: secrets.token_urlsafe(24)))
            for name in ("postgres_admin_password", "postgres_role_password")
        )
        home = server_home(self.state)
        if home != self.state.root:
            self.screen.say(f"the servers' account cannot reach {self.state.root}: their files lie in {home}")
        return settle_servers(home, Passwords(admin, role))

    async def _prepare(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Run `manage.py prepare`, its output in a log; show the operator's password if it made one."""
        report = self.state.secrets / "report"
        report.unlink(missing_ok=True)
        log = self.state.logs / "prepare.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "manage.py", "prepare", "--report", str(report)),
                *(["--check-user"] if self.checked else []),
                cwd=CODE,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                code = await asyncio.wait_for(process.wait(), PREPARE_WITHIN_S)
            except (TimeoutError, asyncio.CancelledError):
                process.kill()
                raise
        if code:
            raise CannotStart(
                f"preparing the database failed ({last_line(log.read_text('utf-8'))}): see {log}"
            )
        made: dict[str, str] = json.loads(report.read_text(encoding="utf-8"))
        report.unlink()
        if OPERATOR in made:
            self.screen.say(f"operator: {OPERATOR}  password: {made[OPERATOR]}  (shown only now)")
        return made

    async def _start_application(self, environment: Mapping[str, str]) -> None:
        password_file = secret_file(self.state, "flower_password", lambda: secrets.token_urlsafe(18))
        site = Site(
            environment=environment,
            heartbeats=self.state.heartbeats,
            web_port=self.ports.web,
            flower_port=self.ports.flower,
            flower_credentials=f"{OPERATOR}:{read_secret(password_file)}",
            broker_url=broker_from_redis(Environment(environment).text_or_file("REDIS_URL")),
            client=self.client,
            clock=self.clock,
        )
        # Flower asks the workers for their queues once, when it starts: they must be there to answer.
        for specs in (application_specs(site), [flower_spec(site)]):
            self.supervisor.start(specs)
            await self.supervisor.wait_healthy([spec.name for spec in specs], APPLICATION_WITHIN_S)
        self.screen.say(f"web: {environment['PUBLIC_URL']}/  admin: {environment['PUBLIC_URL']}/admin/")
        self.screen.say(
            f"flower: http://{HOST}:{self.ports.flower}/  user {OPERATOR}, password in {password_file}"
        )


def is_given(variables: Mapping[str, str], name: str) -> bool:
    """Whether the environment sets the variable or names a file for it."""
    return bool(variables.get(name) or variables.get(f"{name}_FILE"))


def make_fernet_key() -> str:
    """A fresh key for encrypted fields."""
    return Fernet.generate_key().decode()


def require_libraries() -> None:
    """Raise unless everything that the processes import is installed."""
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotStart(f"missing libraries: {', '.join(missing)}; run `make install`")


def require_port(port: int, option: str) -> None:
    """Raise unless the port can be listened on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise CannotStart(f"port {port} {reason}: choose another with {option}") from None
