"""A challenger beside the champion: its scores go to series of their own, and their agreement is kept.

In: a group that was just scored. Out: `anomaly_score_shadow`, which rules on `anomaly_score` do not read,
with the challenger's `version`. Refused: nothing; a challenger that fails says so on its version and disturbs
nobody. A tick that is scored twice counts twice.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from alertsite.core.clock import to_datetime
from alertsite.core.samples import Floats
from ml.models import ModelGroup, ModelVersion
from ml.services.champions import loaded
from ml.services.judging import MODEL_FAULTS, Judged, cut_to_ticks, followed_from
from ml.services.outputs import Output, output_labels
from ml.services.reading import read_group

SHADOW: Final = "anomaly_score_shadow"
_COUNTED: Final = ("samples", "agreed", "flagged", "champion_flagged")


def shadow_outputs(group: ModelGroup, judged: Judged, *, now_ms: int) -> list[Output]:
    """Scores of the newest challenger at the ticks that were judged; nothing without one."""
    versions = ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group)
    challenger = versions.filter(status=ModelVersion.Status.CHALLENGER).defer("artefact").first()
    if challenger is None:
        return []
    try:
        outputs, told = _beside(group, challenger, judged, now_ms)
    except MODEL_FAULTS as error:
        outputs, told = [], challenger.shadow | {"error": str(error)[:300]}
    versions.filter(pk=challenger.pk).update(shadow=told)
    return outputs


def _beside(
    group: ModelGroup, challenger: ModelVersion, judged: Judged, now_ms: int
) -> tuple[list[Output], dict[str, Any]]:
    ticks, model = judged.times_ms, loaded(challenger)
    rows = range(followed_from(model, ticks), ticks[-1] + 1, ticks.step)
    known = read_group(group, rows, now_ms=now_ms).only(model.labels, model.columns)
    scores = cut_to_ticks(group, known, model.model.score(known.batch), ticks).score
    times = np.array(ticks, np.int64)
    number = str(challenger.number)
    outputs = [
        Output(output_labels(labels, group, SHADOW, version=number), times, row)
        for labels, row in zip(known.labels, scores, strict=True)
    ]
    by_champion = dict(zip(judged.labels, judged.scores.score, strict=True))
    nothing = np.full(len(ticks), np.nan)
    champions = np.array([by_champion.get(labels, nothing) for labels in known.labels])
    return outputs, _agreement(challenger.shadow, scores, champions.reshape(scores.shape), now_ms)


def _agreement(before: dict[str, Any], own: Floats, champions: Floats, now_ms: int) -> dict[str, Any]:
    """Counts so far with those of these ticks: where both have a score, and on which side of 1."""
    both = np.isfinite(own) & np.isfinite(champions)
    flagged, by_champion = own[both] > 1.0, champions[both] > 1.0
    found = (int(both.sum()), int((flagged == by_champion).sum()), int(flagged.sum()), int(by_champion.sum()))
    counts = {name: before.get(name, 0) + new for name, new in zip(_COUNTED, found, strict=True)}
    agreement = counts["agreed"] / counts["samples"] if counts["samples"] else None
    since = before.get("since", to_datetime(now_ms).isoformat())
    return counts | {"agreement": agreement, "since": since}
