"""The adapter `host`: supervised services, restarted by an agent on their host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from cloud.adapters.calling import Call
from cloud.adapters.host.restart_host_service.action import RestartHostService
from cloud.adapters.host.session import HostCredentials, HostSession, HostSettings
from cloud.adapters.protocol import (
    AccountCredentials,
    AccountSettings,
    Action,
    MetricQuery,
    MetricSeries,
    Resource,
    Surroundings,
)

_ACTIONS: Final[tuple[Action, ...]] = (RestartHostService(),)


class HostAdapter:
    """Hosts with an agent."""

    name: ClassVar[str] = "host"
    settings: ClassVar[type[AccountSettings]] = HostSettings
    credentials: ClassVar[type[AccountCredentials]] = HostCredentials
    actions: ClassVar[Mapping[str, Action]] = {action.word.name: action for action in _ACTIONS}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: HostSettings, credentials: HostCredentials) -> HostSession:
        """A session of an account."""
        return HostSession(settings, credentials, self._surroundings)

    def check(self, session: HostSession) -> str:
        """That every agent takes the token."""
        for url in session.agents().values():
            session.fetch(Call("GET", f"{url}/v1/services"))
        return f"{len(session.agents())} agents answer"

    def inventory(self, session: HostSession) -> Iterator[Sequence[Resource]]:
        """The services in each agent's list; one page a host."""
        for host, url in session.agents().items():
            yield [
                Resource(
                    kind="service",
                    id=f"service/{host}/{each['name']}",
                    name=each["name"],
                    place=host,
                    state="active" if each["active"] else "inactive",
                    healthy=bool(each["active"]),
                    group=host,
                )
                for each in session.fetch(Call("GET", f"{url}/v1/services"))["services"]
            ]

    def metrics(
        self,
        session: HostSession,  # noqa: ARG002 (the protocol's)
        queries: Sequence[MetricQuery],  # noqa: ARG002
    ) -> Iterator[MetricSeries]:
        """Hosts send their metrics themselves."""
        return iter(())
