"""The one place where an adapter calls its SDK: recorded, with the SDK's errors in our words.

An SDK's function and its arguments go in, its answer comes out. Refused, as `cloud.adapters.errors`: whatever
the SDK raises of the kinds that the adapter names; anything else is a fault of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cloud.adapters.errors import AdapterError
from cloud.adapters.protocol import Exchange, Json, Receipt, Surroundings
from cloud.adapters.recording import Recorder
from cloud.adapters.vocabulary import Parameters

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one SDK fails, and how its answers are shown.

    Attributes
    ----------
    faults
        What the SDK raises.
    mapped
        One of those in our words.
    shown
        An answer, or an argument, as JSON.
    """

    faults: tuple[type[Exception], ...]
    mapped: Callable[[Any], AdapterError]
    shown: Callable[[Any], Any]


class SdkSession:
    """An open account whose provider is reached through an SDK."""

    def __init__(self, surroundings: Surroundings, recorder: Recorder, dialect: Dialect) -> None:
        self.surroundings = surroundings
        self._recorder = recorder
        self._dialect = dialect

    def call(self, request: str, function: Callable[..., T], /, *args: Any, **values: Any) -> T:
        """Call the SDK once.

        Raises
        ------
        AdapterError
        """
        started = self.surroundings.monotonic()
        try:
            answer = function(*args, **values)
        except self._dialect.faults as error:
            fault = self._dialect.mapped(error)
            self._keep(request, args, values, (type(fault).__name__, {"error": str(fault)}), started)
            raise fault from None
        self._keep(request, args, values, ("ok", self._dialect.shown(answer)), started)
        return answer

    def _keep(
        self,
        request: str,
        args: tuple[Any, ...],
        values: Mapping[str, Any],
        answer: tuple[str, Any],
        started: float,
    ) -> None:
        sent = {name: self._dialect.shown(value) for name, value in values.items()}
        if args:
            sent["arguments"] = [self._dialect.shown(value) for value in args]
        self._recorder.keep(request, sent, *answer, self.surroundings.monotonic() - started)

    def exchanges(self) -> list[Exchange]:
        """The calls since this was last asked, oldest first."""
        return self._recorder.take()


class Doing:
    """What actions share unless they say otherwise: looking tells nothing, and nothing takes it back."""

    def happened(self, session: Any, parameters: Any, before: Json, *, key: str) -> Receipt | None:  # noqa: ARG002
        """Not asked."""
        return None

    def undo(self, parameters: Any, before: Json) -> Parameters | None:  # noqa: ARG002 (the protocol's)
        """Nothing takes it back."""
        return None
