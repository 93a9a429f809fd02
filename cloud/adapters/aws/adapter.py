"""The adapter `aws`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from cloud.adapters.aws import inventory, metrics
from cloud.adapters.aws.fail_over_database.action import FailOverDatabase
from cloud.adapters.aws.replace_member.action import ReplaceMember
from cloud.adapters.aws.restart_database.action import RestartDatabase
from cloud.adapters.aws.restart_instance.action import RestartInstance
from cloud.adapters.aws.restart_service.action import RestartService
from cloud.adapters.aws.run_document.action import RunDocument
from cloud.adapters.aws.scale_group.action import ScaleGroup
from cloud.adapters.aws.scale_service.action import ScaleService
from cloud.adapters.aws.session import AwsCredentials, AwsSession, AwsSettings
from cloud.adapters.aws.set_concurrency.action import SetConcurrency
from cloud.adapters.aws.start_instance.action import StartInstance
from cloud.adapters.aws.stop_instance.action import StopInstance
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
    RestartService(),
    ScaleService(),
    SetConcurrency(),
    RestartDatabase(),
    FailOverDatabase(),
    RunDocument(),
)


class AwsAdapter:
    """An AWS account."""

    name: ClassVar[str] = "aws"
    settings: ClassVar[type[AccountSettings]] = AwsSettings
    credentials: ClassVar[type[AccountCredentials]] = AwsCredentials
    actions: ClassVar[Mapping[str, Action]] = {action.word.name: action for action in _ACTIONS}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: AwsSettings, credentials: AwsCredentials) -> AwsSession:
        """A session of an account."""
        return AwsSession(settings, credentials, self._surroundings)

    def check(self, session: AwsSession) -> str:
        """The identity that AWS takes us for."""
        return str(session.ask("sts", "get_caller_identity")["Arn"])

    def inventory(self, session: AwsSession) -> Iterator[Sequence[Resource]]:
        """Machines, groups, services, databases and functions."""
        return inventory.pages(session)

    def metrics(self, session: AwsSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
        """Averages by CloudWatch, of the account's first region."""
        return metrics.pulled(session, queries)
