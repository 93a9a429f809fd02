"""What a run is moved on with, passed in so that tests have their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random, SystemRandom
from typing import Any
from uuid import UUID

from alertsite.core.clock import Clock, to_datetime
from cloud.services.accounts import open_account


@dataclass(frozen=True, slots=True)
class Means:
    """A clock, chance, and the way to providers."""

    clock: Clock
    random: Random = field(default_factory=SystemRandom)
    open_account: Callable[[UUID, str], AbstractContextManager[Any]] = open_account

    @property
    def now(self) -> datetime:
        """The moment by the clock."""
        return to_datetime(self.clock.now_ms())
