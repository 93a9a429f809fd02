"""A playbook as it is written.

In: YAML. Out: the playbook, checked whole, and the digest that names this very content. Refused with line
and column: whatever `healing.playbooks.documents`, `steps` and `planner` refuse.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from alertsite.core.errors import PlatformError
from healing.playbooks.documents import Document, read_document
from healing.playbooks.steps import (
    HOUR_MS,
    MAX_STEPS,
    AnyStep,
    Duration,
    Expression,
    Filled,
    Fixed,
    Part,
    refused,
)
from rules.alerts.matchers import Matchers, matches_all, parse_matchers

_CRONTAB_FIELD: Final = re.compile(r"[0-9A-Za-z*/,-]+")
CRONTAB_FIELDS: Final = 5
Need = Literal["none", "one", "four-eyes"]


def _matchers(value: Any) -> Any:
    texts = [value] if isinstance(value, str) else value
    try:
        if isinstance(texts, list) and not any(parse_matchers(str(text)) for text in texts):
            raise PydanticCustomError("refused", "at least one matcher is needed: not every alert is meant")
    except PlatformError as error:
        raise refused(error) from None
    return texts


class PredictionTerms(Part):
    """Something that is about to happen: each series of the expression, once it has held for a while."""

    expr: Expression
    hold_for: Duration = Field(default=0, alias="for")
    every: Annotated[Duration, Field(ge=5_000, le=24 * HOUR_MS)] = 30_000


class ScheduleTerms(Part):
    """By the clock: minute, hour, day of month, month, day of week."""

    crontab: str
    timezone: str = "UTC"

    @field_validator("crontab")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        parts = value.split()
        if len(parts) != CRONTAB_FIELDS or not all(_CRONTAB_FIELD.fullmatch(part) for part in parts):
            raise PydanticCustomError("refused", "a crontab has five fields, such as 0 3 * * 1-5")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise PydanticCustomError("refused", "unknown time zone") from None
        return value


class Trigger(Part):
    """What starts a run: one of these. A person may start any playbook by hand."""

    alert: Annotated[list[str], BeforeValidator(_matchers), Field(min_length=1, max_length=20)] | None = None
    prediction: PredictionTerms | None = None
    schedule: ScheduleTerms | None = None
    manual: Literal[True] | None = None

    @model_validator(mode="after")
    def _just_one(self) -> Trigger:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("refused", "one of alert, prediction, schedule and manual is needed")
        return self

    @property
    def kind(self) -> str:
        """Which it is."""
        return next(iter(self.model_fields_set))

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether an alert with these labels starts a run."""
        return self.alert is not None and matches_all(self.matchers, labels)

    @property
    def matchers(self) -> Matchers:
        """All of them must match."""
        return tuple(one for text in self.alert or () for one in parse_matchers(text))


class ApprovalTerms(Part):
    """Who must say yes, by risk. The tenant's own policy may ask for more, a playbook never for less."""

    low: Need = "none"
    medium: Need = "none"
    high: Need = "none"
    expires: Annotated[Duration, Field(ge=60_000, le=72 * HOUR_MS)] = HOUR_MS


class LimitTerms(Part):
    """How much it may touch. The tenant's own limits hold besides."""

    per_run: Annotated[int, Field(ge=1, le=1000)] = 5
    per_hour: Annotated[int, Field(ge=1, le=10_000)] = 20
    share: Annotated[float, Field(gt=0, le=1)] = 0.34
    cool_down: Duration = 600_000
    concurrent: Annotated[int, Field(ge=1, le=1000)] = 5
    wait: Annotated[Duration, Field(le=24 * HOUR_MS)] = 1_800_000
    """How long a run waits for its turn before it is given up."""


class VerifyTerms(Part):
    """How it is seen that it worked: the alert's own condition is over, or an expression holds."""

    expr: Expression | None = None
    where: Annotated[dict[str, Filled], Field(max_length=20)] = Field(default_factory=dict)
    healthy_for: Annotated[Duration, Field(le=6 * HOUR_MS)] = Field(default=60_000, alias="for")
    within: Annotated[Duration, Field(ge=1000, le=24 * HOUR_MS)] = 900_000
    every: Annotated[Duration, Field(ge=1000, le=600_000)] = 5_000

    @model_validator(mode="after")
    def _possible(self) -> VerifyTerms:
        if self.healthy_for >= self.within:
            raise PydanticCustomError("refused", "for must be shorter than within")
        if self.where and self.expr is None:
            raise PydanticCustomError("refused", "where narrows an expr")
        return self


class BreakerTerms(Part):
    """After so many runs that failed in a row it stops and pages a person."""

    failures: Annotated[int, Field(ge=1, le=100)] = 3


class Playbook(Part):
    """What to do when, with whose approval, within which limits, and how to see that it worked."""

    playbook: Fixed
    description: Annotated[str, Field(max_length=5000)] = ""
    trigger: Trigger
    target: Filled = ""
    """What is repaired, for cool-down; by default the labels of the trigger."""
    approval: ApprovalTerms = ApprovalTerms()
    limits: LimitTerms = LimitTerms()
    verify: VerifyTerms | None = None
    breaker: BreakerTerms = BreakerTerms()
    steps: Annotated[list[AnyStep], Field(min_length=1, max_length=MAX_STEPS)]

    @model_validator(mode="after")
    def _verifiable(self) -> Playbook:
        if self.verify is not None and self.verify.expr is None and self.trigger.alert is None:
            raise PydanticCustomError("refused", "verify needs an expr where no alert is the trigger")
        return self

    @property
    def verification(self) -> VerifyTerms | None:
        """As written; of a playbook for alerts, by default that the alert is over."""
        return self.verify or (VerifyTerms() if self.trigger.alert is not None else None)

    @property
    def digest(self) -> str:
        """SHA-256 of the content; comments and layout do not count."""
        content = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_playbook(text: str) -> tuple[Playbook, Document]:
    """The playbook of a text, and its places; not yet compiled.

    Raises
    ------
    InvalidPlaybook
    """
    return read_document(text, Playbook)
