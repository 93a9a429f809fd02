"""What an adapter is: actions on one kind of infrastructure, its inventory and its metrics.

In: an account's settings and credentials, parameters of a word. Out: what was seen, what was accepted, how
far it has come. Refused, as `cloud.adapters.errors`: everything that the provider refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from cloud.adapters.vocabulary import Parameters, Word

Json = Mapping[str, Any]
"""What can be kept as JSON."""


class Repeat(StrEnum):
    """What happens when an action is asked for a second time with the same key."""

    ABSOLUTE = "absolute"
    """It sets a state; asking again changes nothing."""
    KEYED = "keyed"
    """The provider recognises the key."""
    OBSERVED = "observed"
    """Looking tells whether it has happened (`happened`)."""
    NEVER = "never"
    """Nobody can tell. When its answer was lost, a person decides."""


class Stage(StrEnum):
    """How far an accepted action has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is, before anything is done: the whole of a dry run.

    Attributes
    ----------
    resources
        Identifiers that the action would touch; the blast radius counts these.
    group_size
        How many the group of these has, for limits by share; None where there is no group.
    before
        What `happened`, and the inverse, must know of the state before.
    change
        What would be done, in words.
    cost_per_hour
        By how much the account's bill would change, in US dollars; None if unknown.
    """

    resources: tuple[str, ...]
    change: str
    group_size: int | None = None
    before: Json = field(default_factory=dict)
    cost_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider said when it accepted. `operation` is what `progress` asks by."""

    operation: Json
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come, and in words."""

    stage: Stage
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: what was sent and what came back, secrets masked."""

    request: str
    sent: Json
    status: str
    answered: Json
    seconds: float


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing of the estate. `labels` are the provider's tags in the form of labels."""

    kind: str
    id: str
    name: str
    place: str
    state: str
    healthy: bool | None
    group: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    size: str = ""
    cost_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """Which metric of which resources, between two moments. Times in UTC milliseconds."""

    metric: str
    resource_kind: str
    start_ms: int
    end_ms: int
    period_s: int = 60
    dimensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Samples of one series, oldest first."""

    labels: Mapping[str, str]
    at_ms: Sequence[int]
    values: Sequence[float]


class AccountSettings(BaseModel):
    """What an account is configured with; shown to everyone who may read it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    destination: ClassVar[frozenset[str]] = frozenset()
    """The settings that say where credentials are sent. When one changes, credentials are given anew."""

    prices: Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(max_length=1000)] = {}
    """US dollars an hour by size, such as `{"t3.micro": 0.0104}`: nobody tells us what you agreed to pay."""


class AccountCredentials(BaseModel):
    """What an account signs in with; encrypted, and never shown."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter has from the process it runs in. Its class is called with this.

    Attributes
    ----------
    allow_private
        Whether an account may name loopback and private addresses, and sockets of this machine.
    allow_own_identity
        Whether an account without keys may sign in as the machine or pod that the platform runs on.
    monotonic
        Seconds on a clock that never jumps.
    resolver
        Every address of a host name.
    """

    allow_private: bool
    allow_own_identity: bool
    monotonic: Callable[[], float]
    resolver: Callable[[str], Sequence[str]]


class Session(Protocol):
    """An open account. Every call made through it is kept until `exchanges` takes them."""

    def exchanges(self) -> list[Exchange]:
        """The calls since this was last asked, oldest first."""

    def close(self) -> None:
        """Give connections back."""


class Action(Protocol):
    """One word, done by one provider. Holds no state: the session is passed in."""

    word: ClassVar[Word]
    permissions: ClassVar[tuple[str, ...]]
    """What the credentials must be allowed, in the provider's own words."""
    repeat: ClassVar[Repeat]

    def look(self, session: Any, parameters: Any) -> Sight:
        """See what is and say what would be done. Changes nothing."""

    def act(self, session: Any, parameters: Any, sight: Sight, *, key: str) -> Receipt:
        """Ask the provider to do it. `key` is the same for every try of one step, at most 36 characters."""

    def happened(self, session: Any, parameters: Any, before: Json, *, key: str) -> Receipt | None:
        """What an `act` whose answer was lost would have answered; None if it was not accepted. Asked of what
        can be `OBSERVED` alone.
        """

    def progress(self, session: Any, parameters: Any, receipt: Receipt) -> Progress:
        """How far it has come. Cheap: asked every few seconds."""

    def undo(self, parameters: Any, before: Json) -> Parameters | None:
        """Parameters of the inverse word that bring back what `before` tells; None if nothing does."""


class Adapter(Protocol):
    """A provider."""

    name: ClassVar[str]
    settings: ClassVar[type[AccountSettings]]
    """What may be shown: regions, project, endpoint, lists of what is allowed."""
    credentials: ClassVar[type[AccountCredentials]]
    """What is encrypted."""
    actions: ClassVar[Mapping[str, Action]]

    def open(self, settings: Any, credentials: Any) -> Session:
        """A session of an account. Connects to nothing yet."""

    def check(self, session: Any) -> str:
        """Who the provider says we are. Raises `CredentialsRefused`."""

    def inventory(self, session: Any) -> Iterator[Sequence[Resource]]:
        """What the account holds, in pages; each page is asked for when the one before was taken."""

    def metrics(self, session: Any, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
        """Samples of the asked metrics."""
