"""What apps above this one know that stands in reports: each says so once, when it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from rules.reports.facts import Repair
from rules.reports.periods import Period


@dataclass(frozen=True, slots=True)
class Repairs:
    """Runs of playbooks in a period: the newest, how many succeeded, how many began."""

    newest: Sequence[Repair] = ()
    succeeded: int = 0
    begun: int = 0


def _none(tenant_id: UUID, period: Period) -> Repairs:  # noqa: ARG001 (the interface)
    return Repairs()


@dataclass(slots=True)
class Sources:
    """Where facts come from that lie above `rules`; without an app that knows, there are none."""

    repairs: Callable[[UUID, Period], Repairs] = field(default=_none)


SOURCES = Sources()
