"""How much a group's scores are divided by, calibrated from what people said of its alerts.

In: verdicts with the highest score of the time that they judge, and the present scale. Out: the next scale
with its reason. Refused: nothing. "Noise" that was loud raises the scale, an alert that was missed lowers it,
one that was useful keeps it below what it scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

LEAST_SCALE: Final = 0.5
MOST_SCALE: Final = 4.0
MOST_AT_ONCE: Final = 1.5
"""One calibration moves the scale by this factor at most, so that a few verdicts cannot silence a group."""
ENOUGH_NOISE: Final = 3
MARGIN: Final = 1.02
"""How far the scale is set beyond the verdict that decides it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said, and the highest score of that time, divided by the present scale."""

    said: Literal["useful", "noise", "missed"]
    score: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The scale to use from now on; `reason` is empty where it stays."""

    scale: float
    reason: str = ""


def calibrate(verdicts: Sequence[Verdict], scale: float) -> Calibration:
    """The scale that serves the verdicts best.

    Something missed goes first, as silence is worse than noise: the scale falls to where the loudest half of
    what was missed would have scored above 1. Else, from `ENOUGH_NOISE` verdicts of noise on that outnumber
    the useful ones, it rises to where half of the noise would not have, yet never beyond what was useful.
    """
    missed = sorted((one.score for one in verdicts if one.said == "missed"), reverse=True)
    if missed:
        wanted = missed[(len(missed) - 1) // 2] / MARGIN
        if wanted < 1.0:
            return _moved(scale, wanted, f"{len(missed)} missed")
        return Calibration(scale)
    noise = sorted(one.score for one in verdicts if one.said == "noise")
    useful = [one.score for one in verdicts if one.said == "useful"]
    if len(noise) < ENOUGH_NOISE or len(noise) <= len(useful):
        return Calibration(scale)
    wanted = min([noise[len(noise) // 2] * MARGIN, *(score / MARGIN for score in useful)])
    if wanted <= 1.0:
        return Calibration(scale)
    return _moved(scale, wanted, f"{len(noise)} noise, {len(useful)} useful")


def _moved(scale: float, factor: float, told: str) -> Calibration:
    bounded = min(max(factor, 1.0 / MOST_AT_ONCE), MOST_AT_ONCE)
    following = min(max(scale * bounded, LEAST_SCALE), MOST_SCALE)
    if following == scale:
        return Calibration(scale)
    word = "raised" if following > scale else "lowered"
    return Calibration(following, f"{word} from {scale:.2f} to {following:.2f} by feedback: {told}")
