"""Training that goes on where a killed worker left it: steps of a network, kept in a row until it has ended.

In: a group that learns. Out: the moment whose history is learned from, and what was kept. Refused: bytes that
are not what was saved, of another detector, or too old; training then begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from alertsite.core.clock import to_datetime
from ml.detectors.artefacts import CorruptArtefact, pack, unpack
from ml.detectors.protocol import Arrays
from ml.models import ModelGroup, TrainingCheckpoint

RESUMED_WITHIN: Final = timedelta(hours=1)
"""Older history would be learned again from nearly the same rows, so it is left."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The progress of one training, which learns from rows until `until_ms`, also when it is resumed."""

    group: ModelGroup
    until_ms: int
    now_ms: Callable[[], int]

    def saved(self) -> Arrays | None:
        """What was kept last."""
        row = TrainingCheckpoint.objects.for_tenant(self.group.tenant_id).filter(group=self.group).first()
        if row is None or (row.until_ms, row.detector) != (self.until_ms, self.group.detector):
            return None
        try:
            return unpack(bytes(row.data)).arrays
        except CorruptArtefact:
            return None

    def keep(self, step: int, arrays: Arrays) -> None:
        """Keep the state after a step, in place of the former one."""
        TrainingCheckpoint.objects.for_tenant(self.group.tenant_id).update_or_create(
            group=self.group,
            defaults={
                "tenant_id": self.group.tenant_id,
                "until_ms": self.until_ms,
                "detector": self.group.detector,
                "step": step,
                "data": pack(self.group.detector, arrays),
                "saved_at": to_datetime(self.now_ms()),
            },
        )

    def done(self) -> None:
        """Forget what was kept."""
        TrainingCheckpoint.objects.for_tenant(self.group.tenant_id).filter(group=self.group).delete()


def checkpoints_of(group: ModelGroup, until_ms: int, now_ms: Callable[[], int]) -> Checkpoints:
    """Those of the training that was interrupted, where there is one to resume, else of a new one."""
    rows = TrainingCheckpoint.objects.for_tenant(group.tenant_id).filter(
        group=group, detector=group.detector, saved_at__gte=to_datetime(now_ms()) - RESUMED_WITHIN
    )
    former = rows.values_list("until_ms", flat=True).first()
    return Checkpoints(group, until_ms if former is None else former, now_ms)
