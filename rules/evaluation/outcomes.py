"""What a tick did to each rule, a byte a rule, in the order of the shard's layout."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


class Outcome(enum.IntEnum):
    """The low bits of an outcome byte."""

    OK = 0
    ERROR = 1
    NO_DATA = 2
    SKIPPED = 3


TRUNCATED = 0x40
"""Set when the rule held for more series than its alert limit."""
CAUGHT_UP = 0x80
"""Set when the tick was evaluated after its time had passed."""
KIND_BITS = 0x0F

Outcomes = npt.NDArray[np.uint8]


def describe(packed: bytes) -> Iterable[str]:
    """In words, for screens: `ok`, `error`, `no_data`, `skipped`, then `truncated` and `caught_up` where
    set.
    """
    for byte in packed:
        words = [Outcome(byte & KIND_BITS).name.lower()]
        words += ["truncated"] if byte & TRUNCATED else []
        words += ["caught_up"] if byte & CAUGHT_UP else []
        yield " ".join(words)
