"""The file of a timeline test: series, rules and everything between an alert and its message.

In: YAML text in the format that `tests/timeline/README.md` describes. Out: a timeline, its parts read by
the code that reads them live. Refused, with the place: unknown fields, wrong types, and whatever the
parts refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from alertsite.core.durations import format_duration_ms, parse_duration_ms
from alertsite.core.errors import PlatformError
from rules.alerts.alertmanager_config import AlertmanagerConfig, parse_config
from rules.alerts.yaml_nodes import Reader, compose
from rules.language.rulefile import FileGroup, parse_rule_file

DEFAULT_RECEIVER = "default"


class InvalidTimeline(PlatformError):
    """A timeline test is malformed."""

    code = "timeline.invalid"


def _to_ms(value: Any) -> Any:
    return parse_duration_ms(str(value)) if isinstance(value, str | int) else value


Duration = Annotated[int, BeforeValidator(_to_ms), Field(ge=0)]
"""Milliseconds."""
Chosen = str | dict[str, str]
"""Matchers as text, or labels that must be equal."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Inhibit(_Part):
    """One inhibition rule."""

    source: Chosen
    target: Chosen
    equal: list[str] = Field(default_factory=list)


class TimelineSilence(_Part):
    """A silence; the times count from the beginning, `until` is the end of the timeline if left out."""

    id: str
    matchers: str
    begin: Duration = Field(default=0, alias="from")
    until: Duration | None = None
    recurrence: str | None = None
    duration: Duration | None = None
    timezone: str = "UTC"
    approved: bool = True


class Action(_Part):
    """What a person does at some time to the alerts of a name."""

    at: Duration
    do: Literal["acknowledge", "unacknowledge", "snooze"]
    alert: str
    until: Duration | None = None


class Damping(_Part):
    """When alerts count as flapping."""

    window: Duration
    start: int
    stop: int


class Timeline(_Part):
    """A timeline test."""

    step: Annotated[Duration, Field(gt=0)] = 60_000
    start: datetime = datetime.fromisoformat("2026-01-05T00:00:00+00:00")
    load: dict[str, str] = Field(default_factory=dict)
    rules: list[dict[str, Any]]
    route: dict[str, Any] | None = None
    inhibit: list[Inhibit] = Field(default_factory=list)
    silences: list[TimelineSilence] = Field(default_factory=list)
    intervals: dict[str, Any] = Field(default_factory=dict)
    flapping: Damping | None = None
    send_resolved: bool = True
    actions: list[Action] = Field(default_factory=list)
    expect: dict[Duration, dict[str, Any]]

    @property
    def start_ms(self) -> int:
        """The wall-clock time at which the timeline begins."""
        return round(self.start.timestamp() * 1000)

    def rule_groups(self) -> list[FileGroup]:
        """The rules, as one group of a rule file."""
        group = {"name": "timeline", "interval": format_duration_ms(self.step), "rules": self.rules}
        return parse_rule_file(yaml.safe_dump({"groups": [group]}))

    def config(self) -> AlertmanagerConfig:
        """Route, inhibition and intervals, as one configuration of Alertmanager."""
        plain = {"receiver": DEFAULT_RECEIVER, "group_by": ["alertname"], "group_wait": "0s"}
        own = {"group_interval": format_duration_ms(self.step)} if self.route is None else self.route
        route = {**(plain if self.route is None else {"receiver": DEFAULT_RECEIVER}), **own}
        intervals = [{"name": name, "time_intervals": parts} for name, parts in self.intervals.items()]
        document = {
            "route": route,
            "receivers": [{"name": name} for name in sorted(set(_receivers(route)))],
            "inhibit_rules": [_inhibition(rule) for rule in self.inhibit],
            "time_intervals": intervals,
        }
        return parse_config(yaml.safe_dump(document))


def _receivers(route: Mapping[str, Any]) -> Iterator[str]:
    if "receiver" in route:
        yield route["receiver"]
    for child in route.get("routes") or ():
        yield from _receivers(child)


def _inhibition(rule: Inhibit) -> dict[str, Any]:
    plain: dict[str, Any] = {"equal": rule.equal}
    for side, chosen in (("source", rule.source), ("target", rule.target)):
        if isinstance(chosen, str):
            plain[f"{side}_matchers"] = [chosen]
        else:
            plain[f"{side}_match"] = chosen
    return plain


def parse_timeline(text: str) -> Timeline:
    """The timeline of a file.

    Raises
    ------
    InvalidTimeline
        With every fault and its place.
    InvalidDocument
        If the text is no YAML.
    """
    root = compose(text)
    reader = Reader()
    document = None if root is None else reader.plain(root)
    try:
        return Timeline.model_validate(document)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidTimeline("; ".join(faults)) from None
    except PlatformError as error:
        raise InvalidTimeline(str(error)) from None
