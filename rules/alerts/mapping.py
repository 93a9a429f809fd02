"""Any JSON document as alerts, by a mapping of paths.

In: a mapping as people write it, and a document that somebody posted. Out: alerts. Refused: mappings with
unknown keys or paths that do not read; documents in which a path that is needed finds nothing, or what is no
text, with the alert and the path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from alertsite.core.clock import to_datetime
from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidDuration, PlatformError
from alertsite.core.labels import LABEL_NAME
from rules.alerts.paths import InvalidPath, Path, is_path, parse_path

MAX_ALERTS: Final = 1_000
MAX_NAMES: Final = 64
MAX_TEXT: Final = 10_000
MAX_EXPIRY_S: Final = 366 * 86_400
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2200
_SECONDS_BELOW: Final = 1e11
"""A number of a moment is in seconds when it is smaller, else in milliseconds: year 5138, or 1973."""


class InvalidMapping(PlatformError):
    """A mapping does not read."""

    code = "mapping.invalid"


class UnmappedDocument(PlatformError):
    """A document is not what the mapping expects."""

    code = "mapping.document"


def _path_of_many(text: str) -> str:
    try:
        parse_path(text)
    except InvalidPath as error:
        raise ValueError(str(error)) from None
    return text


def _path_of_one(text: str) -> str:
    """A path below a stranger's `[*]`, tried for every alert, would cost their number squared."""
    if parse_path(_path_of_many(text)).branches:
        raise ValueError(f"{text!r} may find many values; only `alerts` may")
    return text


def _path_or_text(text: str) -> str:
    return _path_of_one(text) if is_path(text) else text


def _label_name(text: str) -> str:
    if not LABEL_NAME.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is no label name")
    return text


def _expiry(text: str) -> str:
    try:
        duration_ms = parse_duration_ms(text)
    except InvalidDuration as error:
        raise ValueError(str(error)) from None
    if not 1000 <= duration_ms <= MAX_EXPIRY_S * 1000:
        raise ValueError(f"{text} is none of 1s to {MAX_EXPIRY_S // 86_400}d")
    return text


_Text = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
PathOrText = Annotated[_Text, AfterValidator(_path_or_text)]
OnlyPath = Annotated[_Text, AfterValidator(_path_of_one)]
PathOfMany = Annotated[_Text, AfterValidator(_path_of_many)]
Name = Annotated[_Text, AfterValidator(_label_name)]
Texts = Annotated[dict[Name, PathOrText], Field(max_length=MAX_NAMES)] | OnlyPath


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StatusDocument(_Document):
    """Which words at a path mean that the alert fires, and which that it is over."""

    path: OnlyPath
    firing: list[_Text] = Field(default=["firing"], min_length=1, max_length=50)
    resolved: list[_Text] = Field(default=["resolved"], min_length=1, max_length=50)


class MappingDocument(_Document):
    """Where the parts of an alert lie. Texts that begin with `$` or `@` are paths, others stand as they are.

    `alerts` finds the alerts, and may find many; every other path finds one value.
    """

    alerts: PathOfMany = "$"
    alertname: PathOrText
    status: StatusDocument | None = None
    labels: Texts = {}
    annotations: Texts = {}
    starts_at: OnlyPath | None = None
    ends_at: OnlyPath | None = None
    url: OnlyPath | None = None
    expires_after: Annotated[_Text, AfterValidator(_expiry)] = "1d"

    @property
    def expires_after_ms(self) -> int:
        """After how long an alert that is not sent again is over."""
        return parse_duration_ms(self.expires_after)


@dataclass(frozen=True, slots=True)
class MappedAlert:
    """What a document says of one alert. Empty texts are left out."""

    firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime | None
    ends_at: datetime | None
    url: str


def parse_mapping(document: Any) -> MappingDocument:
    """Read a mapping.

    Raises
    ------
    InvalidMapping
        With the place that is wrong, such as `labels.host`.
    """
    try:
        return MappingDocument.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(
            str(part) for part in fault["loc"] if not str(part).startswith(("dict[", "function-"))
        )
        raise InvalidMapping(f"{place}: {fault['msg']}" if place else str(fault["msg"])) from None


def read_alerts(mapping: MappingDocument, document: Any) -> list[MappedAlert]:
    """The alerts that a document holds.

    Raises
    ------
    UnmappedDocument
        With the alert and the path that finds nothing, or the wrong thing.
    """
    path = parse_path(mapping.alerts)
    items = path.find(document, document)
    if not path.is_there(document, document):
        raise UnmappedDocument(f"alerts: {path.text} finds nothing")
    if len(items) == 1 and isinstance(items[0], list):
        items = items[0]
    if len(items) > MAX_ALERTS:
        raise UnmappedDocument(f"alerts: {path.text} finds {len(items)}, accepts at most {MAX_ALERTS}")
    return [_Reading(document, item, f"alert {number}").alert(mapping) for number, item in enumerate(items)]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One alert of a document, as it is read."""

    document: Any
    item: Any
    where: str

    def alert(self, mapping: MappingDocument) -> MappedAlert:
        """The alert that the document tells of."""
        name = self._text("alertname", mapping.alertname)
        if not name:
            raise self._fault("alertname", mapping.alertname, "finds nothing")
        firing = self._fires(mapping.status)
        return MappedAlert(
            firing=firing,
            labels=self._texts("labels", mapping.labels) | {"alertname": name},
            annotations=self._texts("annotations", mapping.annotations),
            starts_at=self._moment("starts_at", mapping.starts_at),
            ends_at=self._moment("ends_at", mapping.ends_at),
            url="" if mapping.url is None else self._text("url", mapping.url),
        )

    def _fires(self, status: StatusDocument | None) -> bool:
        if status is None:
            return True
        word = self._text("status", status.path)
        if word in status.firing:
            return True
        if word in status.resolved:
            return False
        accepts = ", ".join([*status.firing, *status.resolved])
        raise self._fault("status", status.path, f"finds {word[:100]!r}, accepts {accepts}")

    def _texts(self, field: str, wanted: Mapping[str, str] | str) -> dict[str, str]:
        """Texts by name; a path to an object takes all of it that is plain."""
        if not isinstance(wanted, str):
            named = {name: self._text(f"{field}.{name}", text) for name, text in wanted.items()}
            return {name: text for name, text in named.items() if text}
        found = self._one(field, parse_path(wanted))
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self._fault(field, wanted, f"finds a {_kind(found)}, accepts an object")
        if len(found) > MAX_NAMES:
            raise self._fault(field, wanted, f"finds {len(found)} names, accepts at most {MAX_NAMES}")
        plain = {name: value for name, value in found.items() if not isinstance(value, dict | list)}
        texts = {name: self._plain(f"{field}.{name}", wanted, value) for name, value in plain.items()}
        return {name: text for name, text in texts.items() if text}

    def _text(self, field: str, wanted: str) -> str:
        if not is_path(wanted):
            return wanted
        return self._plain(field, wanted, self._one(field, parse_path(wanted)))

    def _one(self, field: str, path: Path) -> Any:
        found = path.find(self.document, self.item)
        if len(found) > 1:
            raise self._fault(field, path.text, f"finds {len(found)} values, accepts one")
        return found[0] if found else None

    def _plain(self, field: str, path: str, value: Any) -> str:
        """A text, number or truth value as a text."""
        if isinstance(value, dict | list):
            raise self._fault(field, path, f"finds a {_kind(value)}, accepts a text")
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
        if len(text) > MAX_TEXT or "\x00" in text:
            raise self._fault(field, path, f"is longer than {MAX_TEXT} characters or contains a NUL")
        return text

    def _moment(self, field: str, wanted: str | None) -> datetime | None:
        """A moment of RFC 3339, or seconds or milliseconds since 1970. Zero and year one mean none."""
        if wanted is None:
            return None
        value = self._one(field, parse_path(wanted))
        if value in (None, "", 0) or str(value).startswith("0001-01-01"):
            return None
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                value = to_datetime(round(value * 1000 if value < _SECONDS_BELOW else value)).isoformat()
            moment = datetime.fromisoformat(value)
            if not FIRST_YEAR <= moment.year <= LAST_YEAR:
                raise ValueError(moment.year)
        except (ValueError, TypeError, OverflowError, OSError):
            raise self._fault(field, wanted, f"finds {str(value)[:100]!r}, which is no moment") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _fault(self, field: str, path: str, fault: str) -> UnmappedDocument:
        return UnmappedDocument(f"{self.where}, {field}: {path} {fault}")


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "object" if isinstance(value, dict) else "plain value"
