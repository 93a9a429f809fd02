"""How well firing intervals match incidents that people labelled, and how two replays differ.

In: spans of time in milliseconds. Out: ratios, seconds, minutes. A ratio of nothing is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from rules.evaluation.replay import FiringInterval, Replay


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, both included."""

    start_ms: int
    end_ms: int

    def meets(self, other: Span) -> bool:
        """Whether they share a moment."""
        return self.start_ms <= other.end_ms and other.start_ms <= self.end_ms


@dataclass(frozen=True, slots=True)
class Score:
    """How alerts did against incidents. An episode is a time in which some alert fired.

    Attributes
    ----------
    precision
        Share of episodes that meet an incident.
    recall
        Share of incidents that meet an episode.
    detection_delay_s
        Mean time from the beginning of a detected incident to its first alert; 0 for one that fired already.
    """

    incidents: int
    detected: int
    episodes: int
    precision: float | None
    recall: float | None
    detection_delay_s: float | None


def episodes(intervals: Iterable[FiringInterval]) -> list[Span]:
    """The intervals of all alerts joined where they touch, in order of time."""
    joined: list[Span] = []
    for one in sorted(intervals, key=lambda interval: interval.start_ms):
        if joined and one.start_ms <= joined[-1].end_ms:
            joined[-1] = Span(joined[-1].start_ms, max(joined[-1].end_ms, one.end_ms))
        else:
            joined.append(Span(one.start_ms, one.end_ms))
    return joined


def score(fired: Sequence[Span], incidents: Sequence[Span]) -> Score:
    """Precision, recall and delay of episodes against incidents."""
    right = [episode for episode in fired if any(episode.meets(incident) for incident in incidents)]
    delays = [
        max(0, min(meeting) - incident.start_ms) / 1000
        for incident in incidents
        if (meeting := [episode.start_ms for episode in fired if episode.meets(incident)])
    ]
    return Score(
        incidents=len(incidents),
        detected=len(delays),
        episodes=len(fired),
        precision=len(right) / len(fired) if fired else None,
        recall=len(delays) / len(incidents) if incidents else None,
        detection_delay_s=fmean(delays) if delays else None,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """What a draft does otherwise than the live rule, in minutes that some alert fires."""

    minutes_both: float
    minutes_only_live: float
    minutes_only_draft: float
    notifications_live: int
    notifications_draft: int


def difference(live: Replay, draft: Replay) -> Difference:
    """Compare two replays of the same ticks."""
    before, after = episodes(live.intervals), episodes(draft.intervals)
    both = sum(_shared_ms(one, other) for one in before for other in after) / 60_000
    return Difference(
        minutes_both=both,
        minutes_only_live=_minutes(before) - both,
        minutes_only_draft=_minutes(after) - both,
        notifications_live=live.notifications,
        notifications_draft=draft.notifications,
    )


def _shared_ms(one: Span, other: Span) -> int:
    return max(0, min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms))


def _minutes(spans: Iterable[Span]) -> float:
    return sum(span.end_ms - span.start_ms for span in spans) / 60_000
