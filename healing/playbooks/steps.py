"""Steps as they are written: one model a kind.

In: the mapping of one step. Out: its model. Refused: a kind that there is not, unknown fields, words that
are not in the vocabulary, parameters that the word does not take, expressions that do not parse, templates
that do more than read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import PlatformError
from cloud.adapters.vocabulary import VOCABULARY, Word
from healing.playbooks.conditions import parse_condition
from healing.playbooks.documents import TAG
from healing.playbooks.templates import parse_template, texts_within
from rules.language.plan import plan

MAX_TIMES: Final = 10
MAX_ITEMS: Final = 20
MAX_BRANCHES: Final = 8
MAX_STEPS: Final = 50
HOUR_MS: Final = 3_600_000


def refused(error: PlatformError) -> PydanticCustomError:
    """A refusal of ours, as a fault of a field."""
    return PydanticCustomError("refused", "{reason}", {"reason": str(error)})


def _duration(value: Any) -> Any:
    try:
        return parse_duration_ms(str(value)) if isinstance(value, str | int) else value
    except PlatformError as error:
        raise refused(error) from None


def _template(value: Any) -> Any:
    try:
        for text in texts_within(value):
            parse_template(text)
    except PlatformError as error:
        raise refused(error) from None
    return value


def _condition(value: Any) -> Any:
    try:
        parse_condition(str(value))
    except PlatformError as error:
        raise refused(error) from None
    return str(value)


def _expression(value: Any) -> Any:
    try:
        plan(str(value))
    except PlatformError as error:
        raise refused(error) from None
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and ("{{" in value or "}}" in value):
        raise PydanticCustomError("refused", "stands in the playbook: it is never taken from labels")
    return value


Duration = Annotated[int, BeforeValidator(_duration), Field(ge=0, le=7 * 24 * HOUR_MS)]
"""Milliseconds; written as `90s` or `1h30m`."""
Filled = Annotated[str, Field(max_length=65_536), BeforeValidator(_template)]
"""A text that may hold `{{ labels.NAME }}`."""
Condition = Annotated[str, BeforeValidator(_condition)]
Expression = Annotated[str, Field(max_length=10_000), BeforeValidator(_expression)]
"""PromQL."""
Fixed = Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_plain)]
"""A name that no label can change."""
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class Part(BaseModel):
    """Base of what playbooks are made of."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Step(Part):
    """What every step may say."""

    id: Identifier | None = None
    """By which later steps read its result and wait for it."""
    condition: Condition | None = Field(default=None, alias="if")
    after: Annotated[list[Identifier], Field(max_length=20)] | None = None
    """Steps of the same list that come first; by default the one before."""


class ActionStep(Step):
    """A word of the vocabulary, on an account."""

    action: Fixed
    account: Fixed
    inputs: Annotated[dict[str, Any], BeforeValidator(_template)] = Field(default_factory=dict, alias="with")
    timeout: Annotated[Duration, Field(ge=1000, le=6 * HOUR_MS)] = 600_000
    """How long the provider may take."""
    undo: bool = True
    """Whether it is taken back when what follows fails."""

    @model_validator(mode="after")
    def _known(self) -> ActionStep:
        word = VOCABULARY.get(self.action)
        if word is None:
            known = ", ".join(sorted(VOCABULARY))
            raise PydanticCustomError(
                "refused",
                "unknown action {name}, known are {known}",
                {
                    "name": repr(self.action),
                    "known": known,
                },
            )
        _check_inputs(word, self.inputs)
        return self

    @property
    def word(self) -> Word:
        """What it does."""
        return VOCABULARY[self.action]


def _check_inputs(word: Word, inputs: Mapping[str, Any]) -> None:
    """Names at once; values as far as they stand in the playbook."""
    try:
        word.parameters.model_validate(dict(inputs))
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            if not any("{{" in text for text in texts_within(_within(inputs, one["loc"]))):
                name = ".".join(str(part) for part in one["loc"])
                raise PydanticCustomError(
                    "refused",
                    "{word}: {name}: {reason}",
                    {"word": word.name, "name": name, "reason": one["msg"]},
                ) from None


def _within(inputs: Any, place: tuple[str | int, ...]) -> Any:
    for part in place:
        inputs = inputs.get(part) if isinstance(inputs, Mapping) else None
    return inputs


class WaitStep(Step):
    """Nothing, for a time."""

    wait: Annotated[Duration, Field(le=HOUR_MS)]


class CheckStep(Step):
    """An expression that must hold: that has a series, which `where` may narrow."""

    check: Expression
    where: Annotated[dict[str, Filled], Field(max_length=20)] = Field(default_factory=dict)
    """Labels that the series must have. Values are compared, never put into the expression."""
    within: Annotated[Duration, Field(le=HOUR_MS)] = 0
    """How long to wait for it."""
    required: bool = True
    """Whether the run fails when it does not hold; its result is `held` either way."""


class NotifyStep(Step):
    """A message to a receiver."""

    notify: Fixed
    text: Filled


class ApproveStep(Step):
    """A person must say yes before the steps after it."""

    approve: Literal["one", "four-eyes"]
    text: Filled = ""


class RepeatTerms(Part):
    """How often, and until when."""

    times: Annotated[int, Field(ge=1, le=MAX_TIMES)]
    until: Condition | None = None


class RepeatStep(Step):
    """Steps, again and again, until a condition holds."""

    repeat: RepeatTerms
    steps: Annotated[list[AnyStep], Field(min_length=1, max_length=MAX_STEPS)]


class ForEachStep(Step):
    """Steps, once for each item, which they read as `item`."""

    for_each: Annotated[list[Filled], Field(min_length=1, max_length=MAX_ITEMS)]
    steps: Annotated[list[AnyStep], Field(min_length=1, max_length=MAX_STEPS)]


class ParallelStep(Step):
    """Branches that do not wait for each other."""

    parallel: Annotated[
        list[Annotated[list[AnyStep], Field(min_length=1, max_length=MAX_STEPS)]],
        Field(min_length=2, max_length=MAX_BRANCHES),
    ]


KINDS: Final[Mapping[str, type[Step]]] = {
    "action": ActionStep,
    "wait": WaitStep,
    "check": CheckStep,
    "notify": NotifyStep,
    "approve": ApproveStep,
    "repeat": RepeatStep,
    "for_each": ForEachStep,
    "parallel": ParallelStep,
}


def kind_of(value: Any) -> str:
    """The kind of a step: the one field that names it."""
    if isinstance(value, Step):
        return TAG + next(name for name, model in KINDS.items() if isinstance(value, model))
    found = [name for name in KINDS if isinstance(value, Mapping) and name in value]
    return TAG + (found[0] if len(found) == 1 else "+".join(found) or "none")


AnyStep: TypeAlias = Annotated[
    Annotated[ActionStep, Tag("kind:action")]
    | Annotated[WaitStep, Tag("kind:wait")]
    | Annotated[CheckStep, Tag("kind:check")]
    | Annotated[NotifyStep, Tag("kind:notify")]
    | Annotated[ApproveStep, Tag("kind:approve")]
    | Annotated[RepeatStep, Tag("kind:repeat")]
    | Annotated[ForEachStep, Tag("kind:for_each")]
    | Annotated[ParallelStep, Tag("kind:parallel")],
    Discriminator(kind_of),
]
Leaf: TypeAlias = ActionStep | WaitStep | CheckStep | NotifyStep | ApproveStep

for _container in (RepeatStep, ForEachStep, ParallelStep):
    _container.model_rebuild()
