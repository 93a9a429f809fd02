"""What an automation is told: how the platform tunes itself, scales a service, places it, keeps house.

In: a document as people store it, and its kind. Out: its terms, checked. Refused, with the field: names that
are not known, expressions that do not parse, bounds that leave nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from alertsite.core.errors import InvalidParameter, PlatformError
from healing.automation.placing import CRITERIA, Policy
from healing.automation.scaling import Bounds
from healing.playbooks.schema import ScheduleTerms
from healing.playbooks.steps import HOUR_MS, Duration, Expression, Fixed, Part, refused
from rules.alerts.matchers import parse_matchers

Every = Annotated[Duration, Field(ge=10_000, le=24 * HOUR_MS)]
Range = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=1_000_000)]]
Share = Annotated[float, Field(ge=0, le=1)]


class TuneTerms(Part):
    """Sizes of the pool that evaluates: the lateness that is promised, and how far each size may go."""

    lateness_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    ranges: dict[Literal["workers", "prefetch", "batch", "shard_rules"], Range]
    every: Every = 300_000

    @model_validator(mode="after")
    def _bounded(self) -> TuneTerms:
        for name, (least, most) in self.ranges.items():
            if least > most:
                raise PydanticCustomError("refused", "{name}: {least} lies above {most}", {
                    "name": name, "least": least, "most": most
                })  # fmt: skip
        return self


class ScaleTerms(Part):
    """A service scaled on a forecast, by a playbook that sets `{{ labels.size }}`."""

    playbook: Fixed
    labels: Annotated[dict[str, str], Field(max_length=20)] = Field(default_factory=dict)
    """What the playbook reads besides."""
    load: Expression
    """One series: the load now."""
    forecast: Expression
    """The loads that are to come; the greatest counts."""
    minimum: Annotated[int, Field(ge=1, le=1000)]
    maximum: Annotated[int, Field(ge=1, le=1000)]
    per_replica: Annotated[float, Field(gt=0)]
    step: Annotated[int, Field(ge=1, le=100)] = 2
    cool_down: Duration = 600_000
    every: Every = 60_000

    @model_validator(mode="after")
    def _bounded(self) -> ScaleTerms:
        if self.minimum > self.maximum:
            raise PydanticCustomError("refused", "minimum lies above maximum")
        return self

    @property
    def bounds(self) -> Bounds:
        """As decisions are bounded."""
        return Bounds(self.minimum, self.maximum, self.per_replica, self.step, self.cool_down)


class PlaceAt(Part):
    """Where a service may run: an account, a place in it, and how many things it may hold there."""

    account: Fixed
    region: str
    quota: Annotated[int, Field(ge=1)]


class PlaceTerms(Part):
    """Where a service runs best, and what must be true of a place."""

    service: Fixed
    size: Annotated[int, Field(ge=1, le=1000)]
    places: Annotated[list[PlaceAt], Field(min_length=2, max_length=50)]
    latency: Expression
    """Milliseconds, a series for each `account` and `region`."""
    healthy: Expression
    """Has a series while the service answers where it has moved to."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=lambda: dict.fromkeys(CRITERIA, 1.0)
    )
    regions: Annotated[list[str], Field(max_length=100)] = Field(default_factory=list)
    max_price_per_hour: Annotated[float, Field(gt=0)] = float("inf")
    max_latency_ms: Annotated[float, Field(gt=0)] = float("inf")
    min_headroom: Share = 0.1
    min_health: Share = 0.9
    gain: Share = 0.1
    """By how much another place must score better before a move is worth its risk."""
    every: Every = HOUR_MS

    @property
    def policy(self) -> Policy:
        """As places are ranked."""
        return Policy(
            self.weights,
            frozenset(self.regions),
            self.max_price_per_hour,
            self.max_latency_ms,
            self.min_headroom,
            self.min_health,
        )

    @model_validator(mode="after")
    def _weighs(self) -> PlaceTerms:
        try:
            _ = self.policy
        except InvalidParameter as error:
            raise PydanticCustomError("refused", "{why}", {"why": str(error)}) from None
        return self


class MaintainTerms(ScheduleTerms):
    """What is done by the clock, and which alerts are silent meanwhile."""

    job: Literal["window", "backup", "restore_drill", "playbook"] = "window"
    playbook: str = ""
    labels: Annotated[dict[str, str], Field(max_length=20)] = Field(default_factory=dict)
    silence: Annotated[list[str], Field(max_length=20)] = Field(default_factory=list)
    """Matchers; none, and nothing is silent."""
    duration: Annotated[Duration, Field(ge=60_000, le=24 * HOUR_MS)] = HOUR_MS
    keep: Annotated[int, Field(ge=1, le=365)] = 7
    """Backups that stay; older ones are deleted."""

    @model_validator(mode="after")
    def _whole(self) -> MaintainTerms:
        if (self.job == "playbook") != bool(self.playbook):
            raise PydanticCustomError("refused", "a playbook is named exactly when the job is one")
        if self.job == "window" and not self.silence:
            raise PydanticCustomError("refused", "a window without matchers does nothing")
        self._check_silence()
        return self

    def _check_silence(self) -> None:
        """As `silencing` will, when the clock strikes and nobody looks."""
        try:
            matchers = [one for text in self.silence for one in parse_matchers(text)]
        except PlatformError as error:
            raise refused(error) from None
        if self.silence and all(one.matches({}) for one in matchers):
            raise PydanticCustomError(
                "refused", "every alert would be silent: one matcher must ask for something"
            )


Terms = TuneTerms | ScaleTerms | PlaceTerms | MaintainTerms
KINDS: Final[Mapping[str, type[Terms]]] = {
    "tune": TuneTerms,
    "scale": ScaleTerms,
    "place": PlaceTerms,
    "maintain": MaintainTerms,
}


def read_terms(kind: str, document: Any) -> Terms:
    """The terms of an automation.

    Raises
    ------
    InvalidParameter
        For the first fault, with its place.
    """
    if kind not in KINDS:
        raise InvalidParameter("kind", kind, f"one of {', '.join(KINDS)}")
    try:
        return KINDS[kind].model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "terms"
        raise InvalidParameter(place, "refused", str(first["msg"])) from None
