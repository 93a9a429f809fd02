"""Regular expressions of templates: RE2, unanchored, in linear time and with bounded results."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from alertsite.core.labels import MAX_REGEX_LENGTH
from rules.notify.gotemplate.errors import Fault
from rules.notify.gotemplate.limits import Output, TemplateLimits

_MAX_MEMORY = 1 << 20
_REFERENCE = re.compile(r"\$(?:\$|\{(?P<braced>\w+)\}|(?P<bare>\w+))", re.ASCII)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return _compiled(pattern).search(text) is not None


def replaced(pattern: str, replacement: str, text: str) -> str:
    """The text with every match replaced; `$1`, `${1}` and `${name}` in the replacement are its groups."""
    output = Output(TemplateLimits().output)
    at, last_end = 0, -1
    for match in _compiled(pattern).finditer(text):
        start, end = match.span()
        if start == end == last_end:  # as in Go, no empty match right behind another match
            continue
        output.write(text[at:start])
        _write_replacement(output, replacement, match)
        at = last_end = end
    output.write(text[at:])
    return output.text()


def _write_replacement(output: Output, replacement: str, match: Any) -> None:
    at = 0
    for reference in _REFERENCE.finditer(replacement):
        output.write(replacement[at : reference.start()])
        name = reference["braced"] or reference["bare"]
        output.write("$" if name is None else _group(match, name))
        at = reference.end()
    output.write(replacement[at:])


def _group(match: Any, name: str) -> str:
    """The text of a group by number or name; empty if there is none."""
    try:
        found = match.group(int(name) if name.isdecimal() else name)
    except (IndexError, KeyError):
        return ""
    return found or ""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    if len(pattern) > MAX_REGEX_LENGTH:
        raise Fault(f"the regular expression has {len(pattern)} characters, the limit is {MAX_REGEX_LENGTH}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise Fault(f"the regular expression {pattern[:80]!r} is malformed: {error}") from None
