"""How this process shares its interpreter between threads, and what the garbage collector looks at."""

from __future__ import annotations

import gc
import sys

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that computes keeps others waiting. Ours wait for PostgreSQL a dozen times in a task, and
at Python's 5 ms each answer lay unread for as long: 15 ms for a message that takes 4, measured.
"""


def tune_process() -> None:
    """Call once all modules are loaded: what they hold lives as long as the process, so it is not looked
    through again and again, a tenth of a worker's time, measured.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
