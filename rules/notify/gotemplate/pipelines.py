"""The inside of an action: pipelines of commands over constants, fields, variables and functions.

Refuses unknown functions and variables that are not in scope.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rules.notify.gotemplate import literals
from rules.notify.gotemplate.cursor import Cursor
from rules.notify.gotemplate.lexer import Kind, Token
from rules.notify.gotemplate.nodes import Call, Chain, Command, Dot, Literal, Operand, Pipeline, Variable

MAX_VARIABLES = 100
_CONSTANTS = {"true": True, "false": False, "nil": None}
_READERS = {
    Kind.NUMBER: literals.number,
    Kind.STRING: literals.string,
    Kind.CHARACTER: literals.character,
}


@dataclass(slots=True)
class PipelineParser:
    """Reads pipelines at a cursor. `variables` holds the names in scope, innermost last."""

    cursor: Cursor
    functions: Collection[str]
    variables: list[str]

    def pipeline(self, *, in_range: bool = False, until: Kind = Kind.END) -> Pipeline:
        """Commands up to a token of the kind `until`, which is left. Declared variables enter the scope."""
        at = self.cursor.peek().at
        names, assigns = self._targets(in_range=in_range)
        commands = [self._command(until)]
        while self.cursor.peek().kind is Kind.PIPE:
            self.cursor.take()
            commands.append(self._command(until))
            first = commands[-1].words[0]
            if isinstance(first, Literal | Dot):
                raise self.cursor.malformed(first.at, "a constant or dot cannot take the value piped into it")
        if not assigns:
            self._declare(at, names)
        return Pipeline(at, tuple(commands), names, assigns)

    def _targets(self, *, in_range: bool) -> tuple[tuple[str, ...], bool]:
        """The variables before `:=` or `=`, none if there is no such sign, and whether it was `=`."""
        cursor, start = self.cursor, self.cursor.next
        names: list[Token] = []
        while cursor.peek().kind is Kind.VARIABLE and len(names) < 2:
            names.append(cursor.take())
            sign = cursor.peek()
            if sign.kind in {Kind.DECLARE, Kind.ASSIGN}:
                cursor.take()
                if sign.kind is Kind.ASSIGN:
                    for name in names:
                        self._check_known(name)
                return tuple(name.text for name in names), sign.kind is Kind.ASSIGN
            if sign.kind is not Kind.COMMA or not in_range:
                break
            cursor.take()
        cursor.next = start
        return (), False

    def _command(self, until: Kind) -> Command:
        cursor = self.cursor
        at = cursor.peek().at
        ends = {until, Kind.PIPE, Kind.END}
        words: list[Operand] = []
        while cursor.peek().kind not in ends:
            words.append(self._operand())
            following = cursor.adjacent()
            if following.kind is not Kind.SPACE and following.kind not in ends:
                shown = cursor.shown(following)
                raise cursor.malformed(
                    following.at, f"unexpected {shown} right after a value: is a space missing?"
                )
        if not words:
            raise cursor.malformed(at, f"a value is missing before {cursor.shown(cursor.peek())}")
        first = words[0]
        if isinstance(first, Literal) and len(words) > 1:
            raise cursor.malformed(at, "a constant takes no arguments")
        if isinstance(first, Literal) and first.value is None:
            raise cursor.malformed(at, "nil alone is no value")
        return Command(at, tuple(words))

    def _operand(self) -> Operand:
        cursor = self.cursor
        operand = self._term()
        names: list[str] = []
        while cursor.adjacent().kind is Kind.FIELD:
            names.append(cursor.take().text[1:])
        if not names:
            return operand
        if isinstance(operand, Literal):
            raise cursor.malformed(operand.at, f"a constant has no field {names[0]!r}")
        if isinstance(operand, Chain):
            return Chain(operand.at, operand.base, (*operand.names, *names))
        return Chain(operand.at, operand, tuple(names))

    def _term(self) -> Operand:
        token = self.cursor.take()
        if token.kind is Kind.FIELD:
            return Chain(token.at, Dot(token.at), (token.text[1:],))
        if token.kind is Kind.VARIABLE:
            self._check_known(token)
            return Variable(token.at, token.text)
        if token.kind is Kind.WORD:
            return self._word(token)
        if token.kind is Kind.LEFT:
            return self._parenthesised(token)
        if token.kind is Kind.DOT:
            return Dot(token.at)
        if token.kind in _READERS:
            return Literal(token.at, self.cursor.read(_READERS[token.kind], token))
        raise self.cursor.malformed(token.at, f"unexpected {self.cursor.shown(token)}")

    def _word(self, token: Token) -> Operand:
        if token.text in _CONSTANTS:
            return Literal(token.at, _CONSTANTS[token.text])
        if token.text not in self.functions:
            raise self.cursor.malformed(token.at, f"function {token.text!r} is not defined")
        return Call(token.at, token.text)

    def _parenthesised(self, token: Token) -> Pipeline:
        cursor = self.cursor
        cursor.enter()
        pipeline = self.pipeline(until=Kind.RIGHT)
        if cursor.peek().kind is not Kind.RIGHT:
            raise cursor.malformed(token.at, "the parenthesis is not closed")
        cursor.take()
        cursor.leave()
        return pipeline

    def _declare(self, at: int, names: tuple[str, ...]) -> None:
        self.variables += names
        if len(self.variables) > MAX_VARIABLES:
            reason = f"{len(self.variables)} variables are in scope, the limit is {MAX_VARIABLES}"
            raise self.cursor.malformed(at, reason)

    def _check_known(self, variable: Token) -> None:
        if variable.text not in self.variables:
            raise self.cursor.malformed(variable.at, f"variable {variable.text!r} is not defined")
