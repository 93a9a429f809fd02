"""A syntax tree filled with values.

A template, its data and functions go in; text comes out. Refuses with `TemplateFailed`, at the place where it
happened, what a function or a type refuses and what exceeds the limits. A template can reach the values it is
given and nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rules.notify.gotemplate.builtins import lookup
from rules.notify.gotemplate.errors import Fault, Position, TemplateFailed
from rules.notify.gotemplate.formatting import PLAIN, write_value
from rules.notify.gotemplate.limits import Output, Steps, TemplateLimits
from rules.notify.gotemplate.nodes import (
    Action,
    Body,
    Break,
    Call,
    Chain,
    Command,
    Dot,
    If,
    Include,
    Literal,
    Node,
    Operand,
    Pipeline,
    Range,
    Template,
    Text,
    Variable,
    With,
)
from rules.notify.gotemplate.values import (
    NO_VALUE,
    Function,
    Struct,
    Value,
    WithMethods,
    is_true,
    text_size,
    type_name,
)

BY_EVALUATOR = frozenset({"and", "or", "tmpl"})
"""Functions that need more than the values of their arguments."""
_CHARACTERS_PER_STEP = 16
_NOTHING = object()
"""No value was piped in."""


@dataclass(frozen=True, slots=True)
class Data:
    """What a template is filled with: dot, and variables by name with their `$`."""

    dot: Value
    variables: Mapping[str, Value]


def execute(template: Template, data: Data, functions: Mapping[str, Function], limits: TemplateLimits) -> str:
    """Fill a template.

    Raises
    ------
    TemplateFailed
        With the position and the reason.
    """
    run = _Run(template, functions, limits, Steps(limits.steps), Output(limits.output))
    run.variables = [("$", data.dot), *data.variables.items()]
    try:
        run.body(template.body, data.dot)
    except Fault as fault:
        raise TemplateFailed(Position.of(template.text, run.at), str(fault)) from None
    return run.output.text()


class _Leap(enum.Enum):
    """Why a body ended before its end."""

    BREAK = enum.auto()
    CONTINUE = enum.auto()


@dataclass(slots=True)
class _Run:
    """One expansion. `at` is the offset of what is being evaluated: where a fault, if any, lies."""

    template: Template
    functions: Mapping[str, Function]
    limits: TemplateLimits
    steps: Steps
    output: Output
    variables: list[tuple[str, Value]] = field(default_factory=list)
    at: int = 0
    depth: int = 0

    # Nodes

    def body(self, nodes: Body, dot: Value) -> _Leap | None:
        """Write nodes in a scope of their own."""
        self._descend()
        scope = len(self.variables)
        leap = None
        for node in nodes:
            leap = self._node(node, dot)
            if leap is not None:
                break
        del self.variables[scope:]
        self.depth -= 1
        return leap

    def _node(self, node: Node, dot: Value) -> _Leap | None:
        self._begin(node.at)
        if isinstance(node, Text):
            self.output.write(node.text)
        elif isinstance(node, Action):
            self._action(node, dot)
        elif isinstance(node, If | With):
            return self._branch(node, dot)
        elif isinstance(node, Range):
            return self._range(node, dot)
        elif isinstance(node, Include):
            argument = None if node.argument is None else self._pipeline(node.argument, dot)
            self.at = node.at
            self._include(node.name, argument)
        else:
            return _Leap.BREAK if isinstance(node, Break) else _Leap.CONTINUE
        return None

    def _action(self, node: Action, dot: Value) -> None:
        value = self._pipeline(node.pipeline, dot)
        if node.pipeline.variables:
            return
        self.at = node.at
        if isinstance(value, str):
            self.output.write(value)
        elif value is None:
            self.output.write(NO_VALUE)
        else:
            write_value(self.output, value, PLAIN)

    def _branch(self, node: If | With, dot: Value) -> _Leap | None:
        scope = len(self.variables)
        value = self._pipeline(node.condition, dot)
        if is_true(value):
            leap = self.body(node.body, value if isinstance(node, With) else dot)
        else:
            leap = self.body(node.otherwise, dot)
        del self.variables[scope:]
        return leap

    def _range(self, node: Range, dot: Value) -> _Leap | None:
        over = replace(node.over, variables=())
        value = self._pipeline(over, dot)
        self.at = node.at
        empty = True
        for key, element in _elements(value):
            empty = False
            self.steps.charge(1)
            scope = len(self.variables)
            self._take_element(node.over, key, element)
            leap = self.body(node.body, element)
            del self.variables[scope:]
            if leap is _Leap.BREAK:
                break
        return self.body(node.otherwise, dot) if empty else None

    def _take_element(self, over: Pipeline, key: Value, element: Value) -> None:
        """The last of the variables takes the element, the one before it the key."""
        taken = (key, element)[-len(over.variables) :] if over.variables else ()
        for name, value in zip(over.variables, taken, strict=True):
            self._store(name, value, assigns=over.assigns)

    def _include(self, name: str, argument: Value) -> None:
        outer, self.variables = self.variables, [("$", argument)]
        self.body(self.template.defined[name], argument)
        self.variables = outer

    # Pipelines

    def _pipeline(self, pipeline: Pipeline, dot: Value) -> Value:
        self._descend()
        value: Value = _NOTHING
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        for name in pipeline.variables:
            self._store(name, value, assigns=pipeline.assigns)
        self.depth -= 1
        return value

    def _command(self, command: Command, dot: Value, piped: Value) -> Value:
        """The value of a word, or of its function or method given the words after it and what is piped in."""
        first, *rest = command.words
        self._begin(first.at)
        if isinstance(first, Call):
            return self._call(first, rest, dot, piped)
        if isinstance(first, Chain):
            return self._chain(first, dot, self._arguments(rest, dot, piped))
        if rest or piped is not _NOTHING:
            raise Fault("this is no function: it takes no arguments and nothing piped in")
        return self._operand(first, dot)

    def _arguments(self, words: Sequence[Operand], dot: Value, piped: Value) -> list[Value]:
        values = [self._operand(word, dot) for word in words]
        return values if piped is _NOTHING else [*values, piped]

    def _operand(self, word: Operand, dot: Value) -> Value:
        self._begin(word.at)
        if isinstance(word, Literal):
            return word.value
        if isinstance(word, Variable):
            return self._variable(word.name)
        if isinstance(word, Dot):
            return dot
        if isinstance(word, Chain):
            return self._chain(word, dot, [])
        if isinstance(word, Call):
            return self._call(word, (), dot, _NOTHING)
        return self._pipeline(word, dot)

    # Variables

    def _variable(self, name: str) -> Value:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise Fault(f"variable {name!r} is not defined here")

    def _store(self, name: str, value: Value, *, assigns: bool) -> None:
        if not assigns:
            self.variables.append((name, value))
            return
        for position in range(len(self.variables) - 1, -1, -1):
            if self.variables[position][0] == name:
                self.variables[position] = (name, value)
                return
        raise Fault(f"variable {name!r} is not defined here")

    # Fields, methods, functions

    def _chain(self, chain: Chain, dot: Value, arguments: list[Value]) -> Value:
        value = self._operand(chain.base, dot)
        self.at = chain.at
        for name in chain.names[:-1]:
            value = self._field(value, name, [])
        return self._field(value, chain.names[-1], arguments)

    def _field(self, value: Value, name: str, arguments: list[Value]) -> Value:
        if isinstance(value, WithMethods) and name in value.methods:
            return self._apply(name, value.methods[name], [value, *arguments])
        if arguments:
            raise Fault(f"{name!r} is no method: it takes no arguments and nothing piped in")
        if isinstance(value, dict):
            return lookup(value, name)
        if isinstance(value, Struct) and name in value.fields:
            return value.fields[name]
        if value is None:
            return None
        kind = value.type_name if isinstance(value, Struct) else type_name(type(value))
        raise Fault(f"{kind} has no field {name!r}")

    def _call(self, call: Call, words: Sequence[Operand], dot: Value, piped: Value) -> Value:
        if call.name in {"and", "or"}:
            return self._shortcut(call, words, dot, piped)
        arguments = self._arguments(words, dot, piped)
        self.at = call.at
        if call.name == "tmpl":
            return self._filled(arguments)
        return self._apply(call.name, self.functions[call.name], arguments)

    def _apply(self, name: str, function: Function, arguments: list[Value]) -> Value:
        _check_arguments(name, function, arguments)
        self.steps.charge(function.cost + sum(map(text_size, arguments)) // function.characters_per_step)
        value = function.implementation(*arguments)
        size = text_size(value)
        if size > self.limits.output:
            raise Fault(f"{name} returns {size} characters or elements, the limit is {self.limits.output}")
        self.steps.charge(size // _CHARACTERS_PER_STEP)
        return value

    def _shortcut(self, call: Call, words: Sequence[Operand], dot: Value, piped: Value) -> Value:
        """`and` and `or`: the first value that decides, or the last. What follows is not evaluated."""
        decides = call.name == "or"
        value = piped
        for word in words:
            value = self._operand(word, dot)
            if is_true(value) is decides:
                return value
        if piped is not _NOTHING:
            value = piped
        if value is _NOTHING:
            raise Fault(f"{call.name} needs at least one argument")
        return value

    def _filled(self, arguments: list[Value]) -> str:
        """`tmpl`: the text of a template whose name is a value."""
        if len(arguments) != 2 or arguments[0] not in self.template.defined:
            raise Fault("tmpl needs the name of a defined template and its argument")
        outer, self.output = self.output, Output(self.limits.output)
        self._include(str(arguments[0]), arguments[1])
        written, self.output = self.output.text(), outer
        self.steps.charge(len(written) // _CHARACTERS_PER_STEP)
        return written

    # Bounds

    def _begin(self, at: int) -> None:
        self.at = at
        self.steps.charge(1)

    def _descend(self) -> None:
        self.depth += 1
        if self.depth > self.limits.depth:
            raise Fault(f"nested more than {self.limits.depth} deep, the limit: does a template call itself?")


def _elements(value: Value) -> Iterable[tuple[Value, Value]]:
    """Keys and elements to range over: a list's, a map's by key, or the ints below one."""
    if isinstance(value, dict):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, tuple):
        return enumerate(value)
    if type(value) is int:
        return ((number, number) for number in range(value))
    if value is None:
        return ()
    raise Fault(f"{type_name(type(value))} cannot be ranged over")


def _check_arguments(name: str, function: Function, arguments: list[Value]) -> None:
    needed = len(function.accepts)
    if len(arguments) < needed or (len(arguments) > needed and function.rest is None):
        least = "at least " if function.rest else ""
        raise Fault(f"{name} takes {least}{needed} arguments, there are {len(arguments)}")
    for position, value in enumerate(arguments):
        wanted = function.accepts[position] if position < needed else function.rest
        if wanted is None or wanted is object:
            continue
        if not isinstance(value, wanted):
            shown = type_name(type(value))
            raise Fault(f"{name} needs a {type_name(wanted)} as argument {position + 1}, not {shown}")
