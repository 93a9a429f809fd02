"""Label sets and matchers, with Prometheus's rules for names, order and regular expressions.

A label set is a tuple of (name, value) pairs sorted by name, without empty values: hashable and cheap.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import re2
import xxhash

from alertsite.core.errors import InvalidLabels

LabelSet: TypeAlias = tuple[tuple[str, str], ...]

METRIC_NAME = "__name__"
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
MAX_REGEX_LENGTH = 4096


def label_set(labels: Mapping[str, str] | Iterable[tuple[str, str]]) -> LabelSet:
    """The canonical label set: sorted by name, empty values left out.

    Raises
    ------
    InvalidLabels
        If a name stands twice.
    """
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    ordered = sorted(pair for pair in pairs if pair[1])
    for (name, _), (following, _) in pairwise(ordered):
        if name == following:
            raise InvalidLabels(f"label {name!r} stands twice")
    return tuple(ordered)


def fingerprint(labels: LabelSet) -> int:
    """A 63-bit number (it fits PostgreSQL's bigint) that depends on names and values alone."""
    digest = xxhash.xxh3_64()
    for name, value in labels:
        digest.update(name.encode())
        digest.update(b"\xff")
        digest.update(value.encode())
        digest.update(b"\xfe")
    return digest.intdigest() & 0x7FFF_FFFF_FFFF_FFFF


def storable(text: str) -> str:
    """The text as PostgreSQL can hold it: a NUL becomes U+FFFD, the replacement character."""
    return text.replace("\x00", "\ufffd")


def without_name(labels: LabelSet) -> LabelSet:
    """The label set without its metric name."""
    return tuple(pair for pair in labels if pair[0] != METRIC_NAME)


def format_labels(labels: LabelSet) -> str:
    """As Prometheus writes it: `name{a="b"}`."""
    name = ""
    parts = []
    for key, value in labels:
        if key == METRIC_NAME:
            name = value
        else:
            escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
            parts.append(f'{key}="{escaped}"')
    return f"{name}{{{', '.join(parts)}}}" if parts or not name else name


class MatchOp(enum.Enum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@lru_cache(maxsize=4096)
def compile_regex(pattern: str) -> Callable[[str], bool]:
    """A fully anchored RE2 predicate: linear time, whatever the pattern. Remembered: rules repeat patterns.

    Raises
    ------
    InvalidLabels
        If RE2 refuses the pattern or it is longer than `MAX_REGEX_LENGTH`.
    """
    if len(pattern) > MAX_REGEX_LENGTH:
        raise InvalidLabels(f"regular expression has {len(pattern)} characters, limit is {MAX_REGEX_LENGTH}")
    try:
        compiled = re2.compile("(?s:" + pattern + ")", _quiet_options())
    except re2.error as error:
        raise InvalidLabels(f"regular expression {pattern!r}: {error}") from None
    return lambda text: compiled.fullmatch(text) is not None


def _quiet_options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. An absent label reads as the empty string, as in Prometheus."""

    name: str
    op: MatchOp
    value: str
    _test: Callable[[str], bool] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_regex = self.op in {MatchOp.REGEX, MatchOp.NOT_REGEX}
        object.__setattr__(self, "_test", compile_regex(self.value) if is_regex else None)

    def matches(self, value: str) -> bool:
        """Whether a label of this value satisfies the matcher."""
        found = value == self.value if self._test is None else self._test(value)
        return found is (self.op in {MatchOp.EQUAL, MatchOp.REGEX})

    def __str__(self) -> str:
        escaped = self.value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        return f'{self.name}{self.op.value}"{escaped}"'
