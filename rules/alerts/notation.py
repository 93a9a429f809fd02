"""Escalation steps and on-call layers as people write them, in JSON.

In: the documents that are stored with a policy or a schedule. Out: the stages' own values. Refused, with the
place that is wrong: unknown keys, durations, moments and hours that do not read, lists that are too long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidDuration, PlatformError
from rules.alerts.escalation import MAX_STEPS, Step, Target, TargetKind
from rules.alerts.oncall import MAX_LAYERS, Layer, Restriction

MAX_TARGETS: Final = 20
MAX_MEMBERS: Final = 100
MAX_HOURS: Final = 60
"""Of all layers together: each is tried at every moment at which the answer may change."""
MAX_DELAY_S: Final = 30 * 86_400
MAX_PERIOD_S: Final = 366 * 86_400
FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2200
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class InvalidNotation(PlatformError):
    """A document of steps or layers does not read."""

    code = "notation.invalid"


def _duration_within(limit_s: int) -> AfterValidator:
    def check(text: str) -> str:
        """The text, if it is a duration within the limit."""
        try:
            duration_ms = parse_duration_ms(text)
        except InvalidDuration as error:
            raise ValueError(str(error)) from None
        if duration_ms > limit_s * 1000:
            raise ValueError(f"is longer than {limit_s} s")
        return text

    return AfterValidator(check)


_ShortText = Annotated[str, StringConstraints(max_length=30)]
Delay = Annotated[_ShortText, _duration_within(MAX_DELAY_S)]
Rotation = Annotated[_ShortText, _duration_within(MAX_PERIOD_S)]
HourOfDay = Annotated[str, StringConstraints(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetDocument(_Document):
    """`{"person": "<id>"}`, or a team, a schedule or a receiver: exactly one of them."""

    person: UUID | None = None
    team: UUID | None = None
    schedule: UUID | None = None
    receiver: UUID | None = None

    @property
    def target(self) -> Target:
        """As the stage has it.

        Raises
        ------
        InvalidNotation
            If it names nobody, or several.
        """
        named = [(name, value) for name, value in self if value is not None]
        if len(named) != 1:
            raise InvalidNotation(
                f"a target names {len(named)}, accepts one of person, team, schedule, receiver"
            )
        ((kind, value),) = named
        return Target(TargetKind(kind), str(value))


class StepDocument(_Document):
    """`{"after": "5m", "tell": [{"person": "<id>"}]}`."""

    after: Delay = "0s"
    tell: list[TargetDocument] = Field(min_length=1, max_length=MAX_TARGETS)


class HoursDocument(_Document):
    """`{"from": "22:00", "to": "06:00", "weekdays": ["fri"]}`; over midnight when `to` is not later."""

    begin: HourOfDay = Field(alias="from")
    end: HourOfDay = Field(alias="to")
    weekdays: list[Weekday] = Field(default=[], max_length=7)

    @property
    def restriction(self) -> Restriction:
        """As the stage has it."""
        days = frozenset(WEEKDAYS.index(day) for day in self.weekdays)
        return Restriction(_minutes(self.begin), _minutes(self.end), days)


class LayerDocument(_Document):
    """Members who take turns. `begin` is the first hand-over; without an offset it is read in the zone."""

    name: str = Field(default="", max_length=200, pattern=r"^[^\x00]*$")
    members: list[UUID] = Field(min_length=1, max_length=MAX_MEMBERS)
    begin: datetime
    rotation: Rotation = "1w"
    end: datetime | None = None
    hours: list[HoursDocument] = []

    def layer(self, timezone: str) -> Layer:
        """As the stage has it.

        Raises
        ------
        InvalidSchedule
            If the rotation is too short.
        """
        return Layer(
            members=tuple(map(str, self.members)),
            begin_ms=_milliseconds(self.begin, timezone),
            period=timedelta(milliseconds=parse_duration_ms(self.rotation)),
            timezone=timezone,
            restrictions=tuple(hours.restriction for hours in self.hours),
            end_ms=None if self.end is None else _milliseconds(self.end, timezone),
        )


_STEPS: Final = TypeAdapter(Annotated[list[StepDocument], Field(min_length=1, max_length=MAX_STEPS)])
_LAYERS: Final = TypeAdapter(Annotated[list[LayerDocument], Field(max_length=MAX_LAYERS)])


def steps_from(document: Any) -> tuple[Step, ...]:
    """The steps of a policy.

    Raises
    ------
    InvalidNotation
        With the place that is wrong, such as `0.tell.1.person`.
    """
    try:
        steps = _STEPS.validate_python(document)
    except ValidationError as error:
        raise InvalidNotation(_first_fault(error)) from None
    return tuple(
        Step(parse_duration_ms(step.after), tuple(one.target for one in step.tell)) for step in steps
    )


def layers_from(document: Any, timezone: str) -> tuple[Layer, ...]:
    """The layers of a schedule, their wall clock being the zone's.

    Raises
    ------
    InvalidNotation, InvalidSchedule
        With the place that is wrong, such as `0.hours.0.from`.
    """
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidNotation(f"unknown time zone {timezone!r}") from None
    try:
        layers = _LAYERS.validate_python(document)
    except ValidationError as error:
        raise InvalidNotation(_first_fault(error)) from None
    count = sum(len(layer.hours) for layer in layers)
    if count > MAX_HOURS:
        raise InvalidNotation(f"hours: {count} in all layers, accepts at most {MAX_HOURS}")
    return tuple(layer.layer(timezone) for layer in layers)


def targets_of(steps: Sequence[Step]) -> Iterator[Target]:
    """Everybody that the steps tell."""
    return (target for step in steps for target in step.targets)


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _milliseconds(moment: datetime, timezone: str) -> int:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidNotation(f"year {moment.year} is none of {FIRST_YEAR} to {LAST_YEAR}")
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
    return round(aware.timestamp() * 1000)
