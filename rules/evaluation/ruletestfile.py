"""Unit tests of rules in promtool's file format, with two words of our own: `state` and `notified`.

In: YAML text. Out: tests. Refused, with the place: unknown fields, wrong types, native histograms.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import PlatformError
from rules.language.yaml_depth import refuse_deep

MAX_FILE_CHARACTERS: Final = 8 << 20


class InvalidTestFile(PlatformError):
    """A test file is malformed."""

    code = "rule_tests.invalid"


def _to_ms(text: Any) -> Any:
    return parse_duration_ms(text) if isinstance(text, str) else text


def _nothing(value: Any) -> Any:
    """An empty field of YAML is the empty text to a loader that knows texts alone."""
    return None if value == "" else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Duration = Annotated[int, BeforeValidator(_to_ms), Field(ge=0)]
"""Milliseconds."""
Texts = Annotated[dict[str, str] | None, BeforeValidator(_nothing)]


class InputSeries(_Part):
    """A series and its values, one an interval, from time zero."""

    series: str
    values: str


class ExpectedAlert(_Part):
    """An alert as it must stand; `alertname` goes without saying."""

    exp_labels: Texts = None
    exp_annotations: Texts = None


class AlertTest(_Part):
    """Alerts of one name at one time.

    `state` asks for pending ones; `notified` for what people are told of them at that evaluation, such as
    `[firing, resolved]`.
    """

    eval_time: Duration
    alertname: str
    exp_alerts: Annotated[list[ExpectedAlert] | None, BeforeValidator(_nothing)] = None
    state: Literal["pending", "firing"] = "firing"
    notified: list[Literal["firing", "resolved"]] | None = None


class ExpectedSample(_Part):
    """An element of a result."""

    labels: str = "{}"
    value: float


class ExpressionTest(_Part):
    """An expression's value at one time."""

    expr: str
    eval_time: Duration
    exp_samples: Annotated[list[ExpectedSample] | None, BeforeValidator(_nothing)] = None


class RuleTest(_Part):
    """Series, and what the rules must make of them."""

    name: str = ""
    interval: Duration = 60_000
    input_series: Annotated[list[InputSeries] | None, BeforeValidator(_nothing)] = None
    alert_rule_test: Annotated[list[AlertTest] | None, BeforeValidator(_nothing)] = None
    promql_expr_test: Annotated[list[ExpressionTest] | None, BeforeValidator(_nothing)] = None
    external_labels: Texts = None
    external_url: str = ""


class RuleTestFile(_Part):
    """A test file."""

    rule_files: list[str] = Field(default_factory=list)
    evaluation_interval: Annotated[Duration, Field(gt=0)] = 60_000
    group_eval_order: Annotated[list[str] | None, BeforeValidator(_nothing)] = None
    tests: list[RuleTest] = Field(default_factory=list)
    fuzzy_compare: bool = False


def parse_test_file(text: str) -> RuleTestFile:
    """The tests of a file.

    Raises
    ------
    InvalidTestFile
        With every fault and its place.
    """
    if len(text) > MAX_FILE_CHARACTERS:
        raise InvalidTestFile(f"file has {len(text)} characters, limit is {MAX_FILE_CHARACTERS}")
    try:
        refuse_deep(text)
        document = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 # makes texts, lists and mappings alone
    except yaml.YAMLError as error:
        raise InvalidTestFile(f"not YAML: {error}") from None
    try:
        return RuleTestFile.model_validate(document)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidTestFile("; ".join(faults)) from None
    except PlatformError as error:
        raise InvalidTestFile(str(error)) from None
