"""Door: the documented names by which the platform automates itself. They hand on to proper rooms.

Plans come out as texts of playbooks, and people arm those: nothing here acts on infrastructure. Refused: what
the rooms refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from asgiref.sync import sync_to_async

from alertsite.core.clock import Clock, to_datetime
from alertsite.runtime.expansion import obstacles
from alertsite.runtime.schema import SCHEMAS, schema_of_migrations, stored
from alertsite.tenancy.scope import tenant_scope
from cloud.adapters.protocol import Resource, Sight
from cloud.services.providers import registry
from healing.automation.rollouts import Canary, Watch, canary_playbook, rolling_playbook
from healing.automation.tuning import Allowed, Measured, Proposal, Sizes, propose
from healing.services.rollouts import check_watch
from rules.models import Silence
from rules.services.authoring import Author
from rules.services.backing import Manifest, back_up
from rules.services.drilling import Drill, drill
from rules.services.silencing import SilenceDraft, create_silence

__all__ = [
    "CloudProviderAdapter",
    "DeploymentManager",
    "DockerManager",
    "KubernetesOrchestrator",
    "MaintenanceScheduler",
    "PerformanceOptimizer",
]


class DeploymentManager:
    """Rollouts that stop on our own alerts, and the proof that the release before can go on meanwhile."""

    def __init__(self, tenant_id: UUID, watch: Watch | None = None) -> None:
        self.tenant_id = tenant_id
        self.watch = watch or Watch()

    async def plan_canary(self, canary: Canary) -> str:
        """The text of a playbook: see `healing.automation.rollouts`.

        Raises
        ------
        InvalidParameter, UnknownAlert
        """
        return canary_playbook(canary, await self._checked())

    async def plan_rolling(self, account: str, services: Sequence[str]) -> str:
        """As `plan_canary`, for services that restart one after another."""
        return rolling_playbook(account, services, await self._checked())

    async def _checked(self) -> Watch:
        return await sync_to_async(self._check)()

    def _check(self) -> Watch:
        with tenant_scope(self.tenant_id):
            return check_watch(self.tenant_id, self.watch)

    async def check_schema(self, since: str, directory: Path = SCHEMAS) -> list[str]:
        """What workers of a release would trip over; empty when they can go on."""
        now = await sync_to_async(schema_of_migrations)("this")
        return obstacles(stored(since, directory), now)


class PerformanceOptimizer:
    """Sizes of worker pools, proposed from what was measured."""

    def __init__(self, allowed: Allowed) -> None:
        self.allowed = allowed

    def propose(self, measured: Measured, sizes: Sizes) -> list[Proposal]:
        """What should be changed, with evidence: see `healing.automation.tuning`."""
        return propose(measured, sizes, self.allowed)


class MaintenanceScheduler:
    """Windows with their silences, backups and the proof that they restore."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def schedule(self, tenant_id: UUID, window: SilenceDraft, person: str) -> Silence:
        """Make a window: alerts that match are silent in it, and playbooks wait."""
        return await sync_to_async(self._schedule)(tenant_id, window, person)

    def _schedule(self, tenant_id: UUID, window: SilenceDraft, person: str) -> Silence:
        with tenant_scope(tenant_id):
            return create_silence(tenant_id, window, Author(person, to_datetime(self.clock.now_ms())))

    async def back_up(self, directory: Path) -> Manifest:
        """Dump the database."""
        return await sync_to_async(back_up)(directory, now=to_datetime(self.clock.now_ms()))

    async def drill(self, directory: Path) -> Drill:
        """Restore a backup into a scratch database and check it there."""
        return await sync_to_async(drill)(directory, self.clock)


class CloudProviderAdapter:
    """One account of a provider, looked at. Acting needs a playbook and its approvals."""

    def __init__(self, provider: str, settings: Mapping[str, Any], credentials: Mapping[str, Any]) -> None:
        self.provider = provider
        self._session = registry().open(provider, settings, credentials)

    async def check(self) -> str:
        """Who the provider says we are."""
        return await sync_to_async(registry().adapter(self.provider).check)(self._session)

    async def inventory(self) -> list[Resource]:
        """What the account holds."""
        return await sync_to_async(self._inventory)()

    def _inventory(self) -> list[Resource]:
        pages = registry().adapter(self.provider).inventory(self._session)
        return [resource for page in pages for resource in page]

    async def look(self, word: str, parameters: Mapping[str, Any]) -> Sight:
        """What an action would do."""
        action = registry().action(self.provider, word)
        wanted = action.word.parameters.model_validate(dict(parameters))
        return await sync_to_async(action.look)(self._session, wanted)

    def close(self) -> None:
        """Give connections back."""
        self._session.close()


class _Bound(CloudProviderAdapter):
    """An account of a provider that is known."""

    of: ClassVar[str]

    def __init__(self, settings: Mapping[str, Any], credentials: Mapping[str, Any]) -> None:
        super().__init__(self.of, settings, credentials)


class KubernetesOrchestrator(_Bound):
    """An account of a cluster."""

    of = "kubernetes"


class DockerManager(_Bound):
    """An account of a Docker engine."""

    of = "docker"
