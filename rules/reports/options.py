"""What a schedule may say beyond its kind. In: JSON. Refused: anything unknown, with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidDuration, PlatformError
from rules.language.plan import plan
from rules.reports.periods import ReportKind

DAY_MS: Final = 86_400_000
MAX_LEVELS: Final = 20
MAX_WINDOW_DAYS: Final = 90


class InvalidReportOptions(PlatformError):
    """Options do not fit the kind of report."""

    code: ClassVar[str] = "report.invalid_options"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LevelOption(_Strict):
    """One objective: of the time during which a rule does not fire, or of the mean of an expression."""

    name: str = Field(min_length=1, max_length=100)
    rule: UUID | None = None
    """Time during which an alert of it fires is bad."""
    expr: str = Field(default="", max_length=10_000)
    """A ratio of what was good, 0 to 1."""
    objective: float = Field(gt=0, lt=1)
    window: str = "30d"

    @field_validator("window")
    @classmethod
    def _bounded(cls, value: str) -> str:
        try:
            window_ms = parse_duration_ms(value)
        except InvalidDuration as error:
            raise ValueError(str(error)) from None
        if not DAY_MS <= window_ms <= MAX_WINDOW_DAYS * DAY_MS:
            raise ValueError(f"{value} is not within 1d and {MAX_WINDOW_DAYS}d")
        return value

    @field_validator("expr")
    @classmethod
    def _parses(cls, value: str) -> str:
        try:
            plan(value) if value else None
        except PlatformError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _measured_in_one_way(self) -> LevelOption:
        if (self.rule is None) == (not self.expr):
            raise ValueError("say either `rule` or `expr`")
        return self

    @property
    def window_ms(self) -> int:
        """How long the objective holds for."""
        return parse_duration_ms(self.window)


class LevelsOptions(_Strict):
    """Of a report on service levels."""

    levels: list[LevelOption] = Field(min_length=1, max_length=MAX_LEVELS)


class NoOptions(_Strict):
    """Of every other kind."""


def read_options(kind: ReportKind, options: Mapping[str, Any]) -> LevelsOptions | NoOptions:
    """The options of a schedule.

    Raises
    ------
    InvalidReportOptions
        Naming each place and what is wrong there.
    """
    model = LevelsOptions if kind is ReportKind.SERVICE_LEVELS else NoOptions
    try:
        return model.model_validate(options)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidReportOptions("; ".join(faults)) from None
