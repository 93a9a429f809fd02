"""The adapter `azure`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from cloud.adapters.azure import inventory, metrics
from cloud.adapters.azure.replace_member.action import ReplaceMember
from cloud.adapters.azure.restart_instance.action import RestartInstance
from cloud.adapters.azure.scale_group.action import ScaleGroup
from cloud.adapters.azure.session import AzureCredentials, AzureSession, AzureSettings
from cloud.adapters.azure.start_instance.action import StartInstance
from cloud.adapters.azure.stop_instance.action import StopInstance
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


class AzureAdapter:
    """A Azure subscription."""

    name: ClassVar[str] = "azure"
    settings: ClassVar[type[AccountSettings]] = AzureSettings
    credentials: ClassVar[type[AccountCredentials]] = AzureCredentials
    actions: ClassVar[Mapping[str, Action]] = {action.word.name: action for action in _ACTIONS}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: AzureSettings, credentials: AzureCredentials) -> AzureSession:
        """A session of a subscription."""
        return AzureSession(settings, credentials, self._surroundings)

    def check(self, session: AzureSession) -> str:
        """The subscription's name, which only its own may read."""
        found = session.read(f"/subscriptions/{session.settings.subscription}?api-version=2022-12-01")
        return f"subscription {found.get('displayName', session.settings.subscription)}"

    def inventory(self, session: AzureSession) -> Iterator[Sequence[Resource]]:
        """Virtual machines and scale sets."""
        return inventory.pages(session)

    def metrics(self, session: AzureSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
        """Averages by Azure Monitor."""
        return metrics.pulled(session, queries)
