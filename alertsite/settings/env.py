"""Typed readers of environment variables.

In: the process environment. Out: values of the type asked for. Refused at start, naming the variable and what
it accepts: anything missing that has no default, malformed, out of range, and secrets that are not secret.

A secret may lie in the file that `NAME_FILE` names, as container platforms mount them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlsplit

from alertsite.core.errors import PlatformError

TRUE: Final = frozenset({"1", "true", "yes", "on"})
FALSE: Final = frozenset({"0", "false", "no", "off"})

MIN_SECRET_LENGTH: Final = 32
MIN_SECRET_ALPHABET: Final = 10
SAMPLE_SECRET_PARTS: Final = (
    "your-",
    "your_",
    "super-secret",
    "secret-key",
    "secret_key",
    "changeme",
    "change-me",
    "change_me",
    "insecure",
    "example",
    "sample",
    "default",
    "replace",
    "password",
    "placeholder",
)


class InvalidSetting(PlatformError):
    """An environment variable is missing or holds what the platform does not accept."""

    code: ClassVar[str] = "setting.invalid"

    def __init__(self, name: str, seen: str, accepts: str) -> None:
        super().__init__(f"environment variable {name} is {seen}, accepts {accepts}")
        self.name = name


class Environment:
    """Readers over one mapping of variables. A default of None means that the variable is required."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.names_asked: set[str] = set()

    def text(self, name: str, default: str | None = None, *, accepts: str = "a text") -> str:
        """The variable's text, stripped of white space around it."""
        value = self._raw(name)
        if value:
            return value
        if default is None:
            raise InvalidSetting(name, "not set", accepts)
        return default

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """A whole number within inclusive bounds."""
        accepts = f"a whole number from {minimum} to {maximum}"
        value = self.text(name, str(default))
        try:
            number = int(value)
        except ValueError:
            raise InvalidSetting(name, repr(value), accepts) from None
        if not minimum <= number <= maximum:
            raise InvalidSetting(name, repr(value), accepts)
        return number

    def flag(self, name: str, *, default: bool) -> bool:
        """True for 1, true, yes, on; False for 0, false, no, off."""
        value = self.text(name, "true" if default else "false").lower()
        if value not in TRUE | FALSE:
            raise InvalidSetting(name, repr(value), "true or false")
        return value in TRUE

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of `choices`."""
        value = self.text(name, default)
        if value not in choices:
            raise InvalidSetting(name, repr(value), "one of " + ", ".join(choices))
        return value

    def words(self, name: str, default: Sequence[str] | None = None) -> list[str]:
        """A comma-separated list without its empty items."""
        value = self.text(
            name, None if default is None else ",".join(default), accepts="a comma-separated list"
        )
        return [word.strip() for word in value.split(",") if word.strip()]

    def url(self, name: str, default: str, *, schemes: Sequence[str]) -> str:
        """A URL with one of `schemes`."""
        return checked_url(name, self.text(name, default), schemes)

    def secret_url(self, name: str, *, schemes: Sequence[str]) -> str:
        """A URL that may carry a password: `NAME_FILE` serves too."""
        return checked_url(name, self.text_or_file(name, accepts=describe_schemes(schemes)), schemes)

    def secret(self, name: str) -> str:
        """A long random text, from the variable or from the file that `NAME_FILE` names."""
        accepts = (
            f"at least {MIN_SECRET_LENGTH} random characters, or {name}_FILE the path of a file with them"
        )
        value = self.text_or_file(name, accepts=accepts)
        fault = fault_of_secret(value)
        if fault:
            raise InvalidSetting(name, fault, accepts)
        return value

    def text_or_file(self, name: str, default: str | None = None, *, accepts: str = "a text") -> str:
        """The variable's text, or the contents of the file that `NAME_FILE` names."""
        path = self._raw(f"{name}_FILE")
        if not path:
            return self.text(name, default, accepts=accepts)
        try:
            contents = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSetting(
                f"{name}_FILE", f"{path!r} ({error})", "the path of a readable file"
            ) from None
        if not contents:
            raise InvalidSetting(f"{name}_FILE", f"{path!r}, an empty file", accepts)
        return contents

    def _raw(self, name: str) -> str:
        self.names_asked.add(name)
        return self._variables.get(name, "").strip()


def checked_url(name: str, value: str, schemes: Sequence[str]) -> str:
    """`value`, a URL with one of `schemes`. A refusal does not repeat it: it may carry a password."""
    parts = urlsplit(value)
    if parts.scheme not in schemes or not (parts.netloc or parts.path):
        raise InvalidSetting(name, "not such a URL", describe_schemes(schemes))
    return value


def describe_schemes(schemes: Sequence[str]) -> str:
    """In words, what such a URL looks like."""
    return "a URL that begins with " + " or ".join(f"{scheme}://" for scheme in schemes)


def fault_of_secret(value: str) -> str:
    """What makes `value` guessable, in words that do not repeat it; empty when it will do."""
    lowered = value.lower()
    if any(part in lowered for part in SAMPLE_SECRET_PARTS):
        return "a sample value from documentation"
    if len(value) < MIN_SECRET_LENGTH:
        return f"{len(value)} characters long"
    if len(set(value)) < MIN_SECRET_ALPHABET:
        return f"made of only {len(set(value))} different characters"
    return ""


_assumed: dict[str, str] = {}


def assume(variables: Mapping[str, str]) -> None:
    """Let `process_variables` hold these where the environment does not; children do not inherit them."""
    _assumed.update(variables)


def process_variables() -> dict[str, str]:
    """A copy of the environment of this process, over what is assumed."""
    return _assumed | dict(os.environ)
