"""A session of an account of hosts: an agent's address for each, one token for all."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from cloud.adapters.calling import Call, Caller
from cloud.adapters.errors import ResourceGone
from cloud.adapters.guarding import check_endpoint
from cloud.adapters.protocol import AccountCredentials, AccountSettings, Exchange, Surroundings
from cloud.adapters.recording import Recorder
from cloud.adapters.vocabulary import HostService

ServiceName = Annotated[str, Field(pattern=r"^[\w.@-]{1,200}$")]


class HostSettings(AccountSettings):
    """Which hosts, and which of their services."""

    destination: ClassVar[frozenset[str]] = frozenset({"hosts"})

    hosts: Annotated[dict[str, Annotated[str, Field(max_length=2000)]], Field(min_length=1, max_length=1000)]
    """The agent's address by the host's name, such as `{"db1": "https://db1.example.org:8790"}`."""
    services: Annotated[list[ServiceName], Field(min_length=1, max_length=200)]
    """Which may be restarted; the agent's own list must hold them too."""


class HostCredentials(AccountCredentials):
    """What the agents take."""

    token: Annotated[str, Field(min_length=16, max_length=500, pattern=r"^[\x21-\x7e]+$")]


class HostSession:
    """Agents with their token."""

    def __init__(
        self, settings: HostSettings, credentials: HostCredentials, surroundings: Surroundings
    ) -> None:
        self.settings = settings
        self._hosts = {name: check_endpoint(url, surroundings) for name, url in settings.hosts.items()}
        self._headers = {"Authorization": f"Bearer {credentials.token}"}
        self._recorder = Recorder([credentials.token])
        self._caller = Caller(surroundings, self._recorder)

    def service(self, parameters: HostService) -> Any:
        """How a service is, as the agent tells it.

        Raises
        ------
        ResourceGone
            If the account, or the agent, has no such host or service.
        """
        return self.send("GET", parameters)

    def send(self, method: str, parameters: HostService, verb: str = "", *, key: str = "") -> Any:
        """Ask the agent of the host.

        Raises
        ------
        AdapterError
        """
        if parameters.host not in self._hosts:
            raise ResourceGone(f"host is {parameters.host!r}, accepts {', '.join(sorted(self._hosts))}")
        if parameters.service not in self.settings.services:
            allowed = ", ".join(self.settings.services)
            raise ResourceGone(f"service is {parameters.service!r}, accepts {allowed}")
        url = f"{self._hosts[parameters.host]}/v1/services/{parameters.service}{verb}"
        return self.fetch(Call(method, url, headers={"Idempotency-Key": key} if key else {}, timeout_s=90))

    def fetch(self, call: Call) -> Any:
        """Send a call with the token."""
        signed = Call(call.method, call.url, call.body, {**call.headers, **self._headers}, call.timeout_s)
        return self._caller.send(signed).json()

    def agents(self) -> dict[str, str]:
        """The agent's address by the host's name."""
        return self._hosts

    def exchanges(self) -> list[Exchange]:
        """The calls since this was last asked, oldest first."""
        return self._recorder.take()

    def close(self) -> None:
        """Each request has a connection of its own: nothing is open."""
