"""The adapter `gcp`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from cloud.adapters.gcp import inventory, metrics
from cloud.adapters.gcp.replace_member.action import ReplaceMember
from cloud.adapters.gcp.restart_instance.action import RestartInstance
from cloud.adapters.gcp.scale_group.action import ScaleGroup
from cloud.adapters.gcp.session import GcpCredentials, GcpSession, GcpSettings
from cloud.adapters.gcp.start_instance.action import StartInstance
from cloud.adapters.gcp.stop_instance.action import StopInstance
from cloud.adapters.protocol import (
    AccountCredentials,
    AccountSettings,
    Action,
    MetricQuery,
    MetricSeries,
    Resource,
    Surroundings,
)

_ACTIONS: Final[tuple[Action, ...]] = (
    RestartInstance(),
    StartInstance(),
    StopInstance(),
    ScaleGroup(),
    ReplaceMember(),
)


class GcpAdapter:
    """A Google Cloud project."""

    name: ClassVar[str] = "gcp"
    settings: ClassVar[type[AccountSettings]] = GcpSettings
    credentials: ClassVar[type[AccountCredentials]] = GcpCredentials
    actions: ClassVar[Mapping[str, Action]] = {action.word.name: action for action in _ACTIONS}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: GcpSettings, credentials: GcpCredentials) -> GcpSession:
        """A session of a project."""
        return GcpSession(settings, credentials, self._surroundings)

    def check(self, session: GcpSession) -> str:
        """The project, which only its own may read."""
        project = session.settings.project
        found = session.ask("projects.get", session.projects.get, project=project)
        return f"project {found.name}"

    def inventory(self, session: GcpSession) -> Iterator[Sequence[Resource]]:
        """Machines and managed groups."""
        return inventory.pages(session)

    def metrics(self, session: GcpSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
        """Means by Cloud Monitoring."""
        return metrics.pulled(session, queries)
