"""A reading position in the tokens of a template: look, take, refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from rules.notify.gotemplate.errors import Position, TemplateMalformed
from rules.notify.gotemplate.lexer import Kind, Token

MAX_NESTING = 50
T = TypeVar("T")


@dataclass(slots=True)
class Cursor:
    """Tokens of one text, the last of which is a `Kind.END` at its end, and the next to be read."""

    text: str
    tokens: list[Token]
    next: int = 0
    nesting: int = 0

    def exhausted(self) -> bool:
        """Whether the text has ended."""
        return self.next >= len(self.tokens) - 1

    def adjacent(self) -> Token:
        """The very next token, a space perhaps."""
        return self.tokens[self.next]

    def peek(self) -> Token:
        """The next token that is no space. Spaces before it are gone."""
        if self.tokens[self.next].kind is Kind.SPACE:
            self.next += 1
        return self.tokens[self.next]

    def take(self) -> Token:
        """The next token that is no space, consumed."""
        token = self.peek()
        self.next += 1
        return token

    def close(self, what: str) -> None:
        """Consume the end of an action."""
        token = self.peek()
        if token.kind is not Kind.END:
            raise self.malformed(token.at, f"unexpected {self.shown(token)} in {what}")
        self.next += 1

    def enter(self) -> None:
        """Go one level deeper."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.malformed(self.peek().at, f"nested {self.nesting} deep, the limit is {MAX_NESTING}")

    def leave(self) -> None:
        """Come back up."""
        self.nesting -= 1

    def read(self, reader: Callable[[str], T], token: Token) -> T:
        """The value of a literal."""
        try:
            return reader(token.text)
        except ValueError as error:
            raise self.malformed(token.at, f"{token.text} is no literal: {error}") from None

    def shown(self, token: Token) -> str:
        """A token as a message names it."""
        return token.kind.value if token.kind is Kind.END else repr(token.text)

    def malformed(self, at: int, reason: str) -> TemplateMalformed:
        """The error for an offset."""
        return TemplateMalformed(Position.of(self.text, at), reason)
