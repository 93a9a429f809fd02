"""The values a template can hold, and what Go calls their types.

Booleans, ints, floats and texts are Python's; lists are tuples, maps are dicts with text keys. Fields and
methods exist only where a class here declares them: a template never reaches an attribute of a Python object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

Value: TypeAlias = object

NO_VALUE = "<no value>"
"""What an action shows for nil."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the template language.

    Attributes
    ----------
    implementation
        Takes values, returns a value, raises `Fault`.
    accepts
        The class of each argument; `object` for any.
    rest
        The class of any number of further arguments, or None where there are none.
    cost
        Steps a call takes, besides those for the length of its texts.
    characters_per_step
        How many characters it is given cost one more.
    """

    implementation: Callable[..., Value]
    accepts: tuple[type, ...] = ()
    rest: type | None = None
    cost: int = 1
    characters_per_step: int = 16


class WithMethods:
    """A value with methods. The first argument of each is the value itself."""

    methods: ClassVar[Mapping[str, Function]] = {}


class Rendered(WithMethods):
    """A value that prints in a way of its own."""

    def rendered(self) -> str:
        """As `%v` shows it."""
        raise NotImplementedError


class StringMap(dict[str, str]):
    """`map[string]string`: a key that is absent reads as the empty text."""


@dataclass(frozen=True)
class Struct:
    """Named fields. Another name is an error."""

    type_name: str
    fields: Mapping[str, Value]


class Sample(Struct):
    """One element of a query's result: `.Labels` and `.Value`."""

    def __init__(self, labels: Mapping[str, str], value: float) -> None:
        super().__init__("sample", {"Labels": StringMap(labels), "Value": value})

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels, by name."""
        labels = self.fields["Labels"]
        assert isinstance(labels, StringMap)
        return labels

    @property
    def value(self) -> float:
        """The number."""
        value = self.fields["Value"]
        assert isinstance(value, float)
        return value


class Samples(tuple[Sample, ...]):
    """A query's result."""

    __slots__ = ()


_TYPE_NAMES: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    float: "float64",
    str: "string",
    StringMap: "map[string]string",
    Samples: "query result",
    Sample: "sample",
    object: "any value",
}


def type_name(kind: type) -> str:
    """What a message, or `%T`, calls values of a class."""
    if kind in _TYPE_NAMES:
        return _TYPE_NAMES[kind]
    if issubclass(kind, tuple):
        return "[]interface {}"
    return "map[string]interface {}" if issubclass(kind, dict) else kind.__name__


def is_true(value: Value) -> bool:
    """Go's truth: false, zero, nil and what is empty are not true; a struct always is."""
    if isinstance(value, Struct | Rendered) and not isinstance(value, tuple | dict):
        return True
    return bool(value)


def text_size(value: Value) -> int:
    """Characters of a text, elements of a collection, else nothing."""
    return len(value) if isinstance(value, str | tuple | dict) else 0
