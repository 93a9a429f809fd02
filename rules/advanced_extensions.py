"""Door: the documented name of healing. It hands on what lives in its proper room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from alertsite.audit.services import Author
from alertsite.core.clock import Clock, to_datetime
from alertsite.tenancy.scope import tenant_scope
from healing.models import HealingRun, Playbook
from healing.services.playbooks import Draft, save_playbook
from healing.services.starting import Wish, start_by_hand
from healing.services.storytelling import story_of

__all__ = ["AutoHealingOrchestrator"]


class AutoHealingOrchestrator:
    """A tenant's playbooks: saved, rehearsed, told. Arming and approving are for people."""

    def __init__(self, tenant_id: UUID, actor: str, clock: Clock) -> None:
        self.tenant_id = tenant_id
        self.actor = actor
        self.clock = clock

    async def save(self, text: str) -> Playbook:
        """Store a new playbook."""
        return await sync_to_async(self._save)(text)

    async def rehearse(self, name: str, labels: Mapping[str, str]) -> HealingRun:
        """Start a dry run over labels."""
        return await sync_to_async(self._rehearse)(name, Wish(labels=labels))

    async def story(self, run_id: UUID) -> dict[str, Any]:
        """What a run saw, who approved, what each call sent and returned."""
        return await sync_to_async(self._story)(run_id)

    def _author(self) -> Author:
        return Author(self.actor, to_datetime(self.clock.now_ms()))

    def _save(self, text: str) -> Playbook:
        with tenant_scope(self.tenant_id):
            return save_playbook(Playbook(tenant_id=self.tenant_id), Draft(text), self._author())

    def _rehearse(self, name: str, wish: Wish) -> HealingRun:
        with tenant_scope(self.tenant_id):
            rows = Playbook.objects.for_tenant(self.tenant_id).select_related("version")
            return start_by_hand(rows.get(name=name), wish, self._author(), is_person=False)

    def _story(self, run_id: UUID) -> dict[str, Any]:
        with tenant_scope(self.tenant_id):
            return story_of(HealingRun.objects.for_tenant(self.tenant_id).get(pk=run_id))
