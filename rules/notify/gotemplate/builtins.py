"""The functions of Go's text/template itself. `and` and `or` are the evaluator's; `call` there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote_plus

from rules.notify.gotemplate.errors import Fault
from rules.notify.gotemplate.formatting import sprint, sprintf, sprintln
from rules.notify.gotemplate.limits import TemplateLimits
from rules.notify.gotemplate.quoting import html, script
from rules.notify.gotemplate.values import NO_VALUE, Function, StringMap, Value, is_true, type_name

_TEXT_LIMIT: Final = TemplateLimits().output


def _length(value: Value) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, tuple | dict):
        return len(value)
    raise Fault(f"{type_name(type(value))} has no length")


def _index(value: Value, *keys: Value) -> Value:
    for key in keys:
        value = _item(value, key)
    return value


def _item(value: Value, key: Value) -> Value:
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise Fault(f"the key of a map is a string, not {type_name(type(key))}")
        return lookup(value, key)
    items = value.encode() if isinstance(value, str) else value
    if not isinstance(items, tuple | bytes):
        raise Fault(f"{type_name(type(value))} cannot be indexed")
    if type(key) is not int:
        raise Fault(f"an index is an int, not {type_name(type(key))}")
    if not 0 <= key < len(items):
        raise Fault(f"index {key} is out of range, there are {len(items)} elements")
    found: Value = items[key]
    return found


def lookup(mapping: dict[str, Value], key: str) -> Value:
    """The value of a key; where there is none the empty text for a map of texts, else nil."""
    return mapping.get(key, "" if isinstance(mapping, StringMap) else None)


def _slice(value: Value, *bounds: Value) -> Value:
    items = value.encode() if isinstance(value, str) else value
    if not isinstance(items, tuple | bytes) or len(bounds) > 2:
        raise Fault(f"{type_name(type(value))} cannot be sliced with {len(bounds)} bounds")
    low = bounds[0] if bounds else 0
    high = bounds[1] if len(bounds) > 1 else len(items)
    if type(low) is not int or type(high) is not int or not 0 <= low <= high <= len(items):
        raise Fault(f"bounds {low} and {high} are out of range, there are {len(items)} elements")
    part = items[low:high]
    return part.decode(errors="replace") if isinstance(part, bytes) else part


_COMPARABLE = {bool: "boolean", int: "integer", float: "float", str: "string"}


def _comparable(value: Value) -> str:
    kind = _COMPARABLE.get(type(value))
    if kind is None:
        raise Fault(f"{type_name(type(value))} cannot be compared")
    return kind


def _check_alike(first: Value, second: Value) -> str:
    """The kind of both values. Go compares no int with a float, which surprises: say what helps."""
    kinds = _comparable(first), _comparable(second)
    if kinds[0] != kinds[1]:
        hint = ": write the constant as 5.0, not 5" if set(kinds) == {"integer", "float"} else ""
        names = f"{type_name(type(first))} and {type_name(type(second))}"
        raise Fault(f"{names} cannot be compared{hint}")
    return kinds[0]


def _equal(first: Value, second: Value) -> bool:
    if first is None or second is None:
        return first is second
    _check_alike(first, second)
    return first == second


def _less(first: Value, second: Value) -> bool:
    if _check_alike(first, second) == "boolean":
        raise Fault("true and false have no order")
    before: bool = first < second  # type: ignore[operator]  # both are of one ordered kind
    return before


def _equal_any(first: Value, second: Value, *others: Value) -> bool:
    return any(_equal(first, other) for other in (second, *others))


def _joined(escape: Callable[[str], str]) -> Callable[..., str]:
    """The arguments printed as by `print`, nil as by an action, then escaped."""
    return lambda *values: escape(
        sprint([NO_VALUE if value is None else value for value in values], _TEXT_LIMIT)
    )


_TWO = (object, object)
BUILTINS: Final[dict[str, Function]] = {
    "eq": Function(_equal_any, _TWO, object),
    "ne": Function(lambda first, second: not _equal(first, second), _TWO),
    "lt": Function(_less, _TWO),
    "le": Function(lambda first, second: _less(first, second) or _equal(first, second), _TWO),
    "gt": Function(lambda first, second: not (_less(first, second) or _equal(first, second)), _TWO),
    "ge": Function(lambda first, second: not _less(first, second), _TWO),
    "not": Function(lambda value: not is_true(value), (object,)),
    "len": Function(_length, (object,)),
    "index": Function(_index, (object,), object),
    "slice": Function(_slice, (object,), object),
    "print": Function(lambda *values: sprint(values, _TEXT_LIMIT), (), object),
    "println": Function(lambda *values: sprintln(values, _TEXT_LIMIT), (), object),
    "printf": Function(lambda form, *values: sprintf(form, values, _TEXT_LIMIT), (str,), object),
    "html": Function(_joined(html), (), object),
    "js": Function(_joined(script), (), object),
    "urlquery": Function(_joined(quote_plus), (), object),
}
