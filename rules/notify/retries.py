"""When a failed delivery is tried again, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

FIRST_DELAY_S = 2.0
MAX_DELAY_S = 600.0
MAX_ATTEMPTS = 15
"""With the delays above about an hour and a half of trying."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after this delay."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Dead letter, with the cause."""

    cause: str


def after_failure(
    reason: str, *, attempts: int, retry_after_s: float | None, random: Random
) -> Retry | GiveUp:
    """What follows attempt number `attempts`, counted from one.

    The delay doubles from 2 s to 10 min, spread over its upper half so that messages that failed together do
    not return together. A `Retry-After` of the other side is a lower bound, itself bounded by an hour.
    """
    if attempts >= MAX_ATTEMPTS:
        return GiveUp(f"{attempts} attempts failed, the limit; the last: {reason}")
    ceiling = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** (attempts - 1))
    delay_s = ceiling * random.uniform(0.5, 1.0)
    return Retry(max(delay_s, min(retry_after_s or 0.0, 3600.0)))
