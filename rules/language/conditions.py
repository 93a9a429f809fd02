"""Structured conditions of the API, compiled to PromQL.

In: JSON such as `{"type": "threshold", "metric_path": "current_metrics.cpu_usage", "operator": ">",
"threshold": 80.0}`. Out: an expression and, with a recovery threshold, the expression that keeps a firing
alert
firing. Refused: unknown types, operators and fields, a metric path that is no metric, a recovery threshold on
the wrong side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from alertsite.core.durations import format_duration_ms
from alertsite.core.errors import PlatformError

Operator: TypeAlias = Literal[">", ">=", "<", "<=", "==", "!="]

_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}
_CONTEXT_PREFIX = "current_metrics."
"""Where conditions written for a context of current metrics find them: every metric is one."""

MAX_DEPTH = 8


class InvalidCondition(PlatformError):
    """A structured condition is malformed. `errors` has a reason for each place."""

    code = "condition.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{place}: {reason}" for place, reason in errors.items()))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Compiled:
    """PromQL of a condition. `recovery` is empty when there is no hysteresis."""

    expr: str
    recovery: str = ""


class _Condition(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _OnMetric(_Condition):
    metric_path: Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:.]*$", max_length=300)]
    labels: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], str] = Field(
        default_factory=dict
    )

    def selector(self) -> str:
        """The series the path names."""
        name = self.metric_path.removeprefix(_CONTEXT_PREFIX).replace(".", "_")
        matchers = ",".join(f"{label}={_quoted(value)}" for label, value in sorted(self.labels.items()))
        return f"{name}{{{matchers}}}" if matchers else name


class Threshold(_OnMetric):
    """The newest value against a constant."""

    type: Literal["threshold"]
    operator: Operator
    threshold: float
    recovery_threshold: float | None = None

    @model_validator(mode="after")
    def _recovers_on_the_calm_side(self) -> Threshold:
        if self.recovery_threshold is None:
            return self
        calm = {
            ">": self.recovery_threshold <= self.threshold,
            "<": self.recovery_threshold >= self.threshold,
        }
        side = calm.get(self.operator[0])
        if side is None or self.operator in {"==", "!="}:
            raise ValueError(f"a recovery_threshold goes with >, >=, < or <=, not {self.operator}")
        if not side:
            raise ValueError(
                f"recovery_threshold is {self.recovery_threshold:g}, beyond the threshold {self.threshold:g}"
            )
        return self

    def compile(self) -> Compiled:
        """`metric > 80`."""
        expr = f"{self.selector()} {self.operator} {_number(self.threshold)}"
        if self.recovery_threshold is None:
            return Compiled(expr)
        return Compiled(expr, f"{self.selector()} {self.operator} {_number(self.recovery_threshold)}")


class Range(_OnMetric):
    """The newest value inside or outside an interval."""

    type: Literal["range"]
    minimum: float
    maximum: float
    inside: bool = False

    @model_validator(mode="after")
    def _is_an_interval(self) -> Range:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum is {self.minimum:g}, above the maximum {self.maximum:g}")
        return self

    def compile(self) -> Compiled:
        """`metric < 1 or metric > 5`, or its inside."""
        low, high = _number(self.minimum), _number(self.maximum)
        series = self.selector()
        if self.inside:
            return Compiled(f"{series} >= {low} <= {high}")
        return Compiled(f"{series} < {low} or {series} > {high}")


class Absence(_OnMetric):
    """No sample at all for a while."""

    type: Literal["absence"]
    for_s: Annotated[int, Field(gt=0, le=30 * 86_400)] = 300

    def compile(self) -> Compiled:
        """`absent_over_time(metric[5m])`."""
        return Compiled(f"absent_over_time({self.selector()}[{format_duration_ms(self.for_s * 1000)}])")


class RateOfChange(_OnMetric):
    """Change per second over a window: `rate` for counters, `deriv` for gauges."""

    type: Literal["rate_of_change"]
    operator: Operator
    threshold: float
    window_s: Annotated[int, Field(ge=1, le=30 * 86_400)] = 300
    counter: bool = False

    def compile(self) -> Compiled:
        """`deriv(metric[5m]) > 0.5`."""
        function = "rate" if self.counter else "deriv"
        window = format_duration_ms(self.window_s * 1000)
        return Compiled(f"{function}({self.selector()}[{window}]) {self.operator} {_number(self.threshold)}")


class Anomaly(_Condition):
    """Scores above a threshold of a model group: one that exists, or one that watches a selector on these
    terms. Above 1 every model calls anomalous.
    """

    type: Literal["anomaly"]
    model_group: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.:-]*$", max_length=100)] = ""
    selector: Annotated[str, Field(max_length=2000)] = ""
    detector: Annotated[str, Field(max_length=40)] = "auto"
    sensitivity: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    direction: Literal["up", "down", "both"] = "both"
    min_deviation: Annotated[float, Field(ge=0)] = 0.0
    threshold: Annotated[float, Field(gt=0, le=1e6)] = 1.0

    @model_validator(mode="after")
    def _names_something(self) -> Anomaly:
        if not self.model_group and not self.selector:
            raise ValueError("give a model_group, or a selector to watch")
        return self

    def group_name(self) -> str:
        """The group's name; equal conditions without one share a group, told by a digest of their terms."""
        if self.model_group:
            return self.model_group
        return f"anomaly-{sha256(self.model_dump_json(exclude={'threshold'}).encode()).hexdigest()[:12]}"

    def compile(self) -> Compiled:
        """`anomaly_score{model_group="hosts"} > 1`."""
        scores = f"anomaly_score{{model_group={_quoted(self.group_name())}}}"
        return Compiled(f"{scores} > {_number(self.threshold)}")


class AllOf(_Condition):
    """Every part holds for the same labels."""

    type: Literal["all"]
    conditions: Annotated[list[Condition], Field(min_length=1, max_length=50)]

    def compile(self) -> Compiled:
        """`(a) and ignoring() (b)`."""
        return Compiled(_joined("and", self.conditions))


class AnyOf(_Condition):
    """At least one part holds."""

    type: Literal["any"]
    conditions: Annotated[list[Condition], Field(min_length=1, max_length=50)]

    def compile(self) -> Compiled:
        """`(a) or (b)`."""
        return Compiled(_joined("or", self.conditions))


class Not(_Condition):
    """The part does not hold: comparisons are turned round, anything else yields one element when empty."""

    type: Literal["not"]
    condition: Condition

    def compile(self) -> Compiled:
        """`metric <= 80` for a threshold, `absent(…)` for the rest."""
        part = self.condition
        if isinstance(part, Threshold | RateOfChange):
            turned = part.model_copy(
                update={"operator": _OPPOSITE[part.operator], "recovery_threshold": None}
            )
            return turned.compile()
        if isinstance(part, Range):
            return part.model_copy(update={"inside": not part.inside}).compile()
        if isinstance(part, Not):
            return part.condition.compile()
        return Compiled(f"absent({part.compile().expr})")


Condition: TypeAlias = Annotated[
    Threshold | Range | Absence | RateOfChange | Anomaly | AllOf | AnyOf | Not, Field(discriminator="type")
]

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()

_ADAPTER: TypeAdapter[Condition] = TypeAdapter(Condition)


def compile_condition(condition: Mapping[str, Any]) -> Compiled:
    """PromQL of a structured condition.

    Raises
    ------
    InvalidCondition
        If the condition is malformed or nested deeper than `MAX_DEPTH`.
    """
    if _depth(condition) > MAX_DEPTH:
        raise InvalidCondition({"condition": f"nested {_depth(condition)} deep, limit is {MAX_DEPTH}"})
    return _read(condition).compile()


def anomalies_in(condition: Mapping[str, Any]) -> list[Anomaly]:
    """Every anomaly of a condition that compiles, its parts' included."""
    found, left = [], [_read(condition)]
    while left:
        part = left.pop()
        if isinstance(part, Anomaly):
            found.append(part)
        elif isinstance(part, AllOf | AnyOf):
            left.extend(part.conditions)
        elif isinstance(part, Not):
            left.append(part.condition)
    return found


def _read(condition: Mapping[str, Any]) -> Condition:
    try:
        return _ADAPTER.validate_python(condition)
    except ValidationError as error:
        raise InvalidCondition(
            {
                ".".join(map(str, item["loc"])) or "condition": item["msg"]
                for item in error.errors(include_input=False, include_url=False)
            }
        ) from None


def _depth(condition: Any) -> int:
    """How deep parts are nested, looked at level by level so that hostile nesting costs no stack."""
    level, depth = [condition], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [part for one in level if isinstance(one, Mapping) for part in _parts(one)]
    return depth


def _parts(condition: Mapping[str, Any]) -> list[Any]:
    several = condition.get("conditions")
    found = list(several) if isinstance(several, list) else []
    return [*found, condition["condition"]] if "condition" in condition else found


def _joined(operator: str, conditions: list[Condition]) -> str:
    return f" {operator} ".join(f"({part.compile().expr})" for part in conditions)


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
