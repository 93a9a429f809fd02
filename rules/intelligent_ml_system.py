"""Door: the documented names of what places and learns. They hand on what lives in its proper room."""

from __future__ import annotations

from collections.abc import Sequence

from healing.automation.placing import Place, Policy, Ranking, move_playbook, rank

__all__ = ["MultiCloudOrchestrator"]


class MultiCloudOrchestrator:
    """Where to run, and how to get there: see `healing.automation.placing`."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def rank(self, places: Sequence[Place]) -> Ranking:
        """Places by score, each number explained."""
        return rank(places, self.policy)

    def plan_move(self, service: str, size: int, here: Place, there: Place, healthy: str) -> str:
        """The text of a playbook that starts there, verifies, and scales down here."""
        return move_playbook(service, size, here, there, healthy)
