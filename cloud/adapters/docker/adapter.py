"""The adapter `docker`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from cloud.adapters.docker.containers import PROJECT, SERVICE
from cloud.adapters.docker.prune_images.action import PruneImages
from cloud.adapters.docker.restart_service.action import RestartService
from cloud.adapters.docker.scale_service.action import ScaleService
from cloud.adapters.docker.session import DockerCredentials, DockerSession, DockerSettings
from cloud.adapters.labelling import labels_of
from cloud.adapters.protocol import (
    AccountCredentials,
    AccountSettings,
    Action,
    MetricQuery,
    MetricSeries,
    Resource,
    Surroundings,
)

_ACTIONS: Final[tuple[Action, ...]] = (RestartService(), ScaleService(), PruneImages())


class DockerAdapter:
    """A Docker engine."""

    name: ClassVar[str] = "docker"
    settings: ClassVar[type[AccountSettings]] = DockerSettings
    credentials: ClassVar[type[AccountCredentials]] = DockerCredentials
    actions: ClassVar[Mapping[str, Action]] = {action.word.name: action for action in _ACTIONS}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: DockerSettings, credentials: DockerCredentials) -> DockerSession:
        """A session of an engine."""
        return DockerSession(settings, credentials, self._surroundings)

    def check(self, session: DockerSession) -> str:
        """The engine's version: it knows no names of its clients."""
        return f"{session.settings.engine}, Docker {session.ask('version')['Version']}"

    def inventory(self, session: DockerSession) -> Iterator[Sequence[Resource]]:
        """Containers, the stopped ones too."""
        yield [_container(each) for each in session.ask("containers", all=True)]

    def metrics(
        self,
        session: DockerSession,  # noqa: ARG002 (the protocol's)
        queries: Sequence[MetricQuery],  # noqa: ARG002
    ) -> Iterator[MetricSeries]:
        """An engine is scraped by Prometheus; it keeps no metrics of its own."""
        return iter(())


def _container(found: Any) -> Resource:
    labels, state = found.get("Labels") or {}, found["State"]
    status = found.get("Status", "")
    return Resource(
        kind="container",
        id=found["Id"],
        name=found["Names"][0].strip("/"),
        place=labels.get(PROJECT, ""),
        state=state,
        healthy=None if state in ("created", "paused") else state == "running" and "unhealthy" not in status,
        group=labels.get(SERVICE, ""),
        labels=labels_of(labels),
        size=found.get("Image", ""),
    )
