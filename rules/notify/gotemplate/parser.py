"""Tokens to a syntax tree.

A template's text goes in, with the names of the functions and variables it may use; a `Template` comes out.
Refuses bad syntax, unknown functions, undefined variables, templates that are not defined, and what is longer
or nested deeper than the limits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from rules.notify.gotemplate import literals
from rules.notify.gotemplate.cursor import Cursor
from rules.notify.gotemplate.errors import Position, TemplateMalformed
from rules.notify.gotemplate.lexer import Kind, Token, tokenize
from rules.notify.gotemplate.nodes import (
    Action,
    Body,
    Break,
    Continue,
    If,
    Include,
    Node,
    Range,
    Template,
    Text,
    With,
)
from rules.notify.gotemplate.pipelines import PipelineParser

MAX_TEMPLATE_LENGTH = 65_536
_BRANCHES: dict[str, type[If | With | Range]] = {"if": If, "with": With, "range": Range}
_KEYWORDS = frozenset({*_BRANCHES, "else", "end", "template", "define", "block", "break", "continue"})
_ELSE_OR_END = frozenset({"else", "end"})
_END = frozenset({"end"})


def parse(text: str, functions: Collection[str], variables: Collection[str] = ()) -> Template:
    """The syntax tree of a template.

    Parameters
    ----------
    functions, variables
        Names that are known from the start; variables with their `$`.

    Raises
    ------
    TemplateMalformed
        With the position and the reason.
    """
    if len(text) > MAX_TEMPLATE_LENGTH:
        reason = f"the template has {len(text)} characters, the limit is {MAX_TEMPLATE_LENGTH}"
        raise TemplateMalformed(Position(1, 1), reason)
    cursor = Cursor(text, [*tokenize(text), Token(Kind.END, "", len(text))])
    parser = _Parser(cursor, PipelineParser(cursor, functions, ["$", *variables]))
    body, _ = parser.body(frozenset())
    parser.check_includes()
    return Template(text, body, parser.defined)


@dataclass(slots=True)
class _Parser:
    cursor: Cursor
    pipelines: PipelineParser
    defined: dict[str, Body] = field(default_factory=dict)
    included: list[Include] = field(default_factory=list)
    ranges: int = 0
    """How many ranges surround the current place."""

    def body(self, ends: frozenset[str]) -> tuple[Body, str]:
        """Nodes up to one of the keywords in `ends`, which is consumed and handed back."""
        cursor = self.cursor
        cursor.enter()
        nodes: list[Node] = []
        while not cursor.exhausted():
            token = cursor.peek()
            if token.kind is Kind.TEXT:
                nodes.append(Text(token.at, cursor.take().text))
            elif token.kind is Kind.WORD and token.text in ends:
                cursor.take()
                cursor.leave()
                return tuple(nodes), token.text
            else:
                nodes += self._action(token)
        if ends:
            raise cursor.malformed(len(cursor.text), "{{end}} is missing")
        cursor.leave()
        return tuple(nodes), ""

    def check_includes(self) -> None:
        """Refuse `template` actions that name none of the defined ones."""
        for include in self.included:
            if include.name not in self.defined:
                raise self.cursor.malformed(include.at, f"template {include.name!r} is not defined")

    def _action(self, word: Token) -> list[Node]:
        cursor = self.cursor
        if word.kind is not Kind.WORD or word.text not in _KEYWORDS:
            pipeline = self.pipelines.pipeline()
            cursor.close("the action")
            return [Action(word.at, pipeline)]
        cursor.take()
        if word.text in _BRANCHES:
            return [self._branch(word)]
        if word.text in {"template", "block"}:
            return [self._include(word)]
        if word.text in {"break", "continue"}:
            return [self._leap(word)]
        if word.text == "define" and cursor.nesting == 1:
            self._define(self._name(word))
            return []
        raise cursor.malformed(word.at, f"unexpected {{{{{word.text}}}}}")

    def _branch(self, word: Token) -> If | With | Range:
        loops = word.text == "range"
        variables = self.pipelines.variables
        outer = len(variables)
        condition = self.pipelines.pipeline(in_range=loops)
        self.cursor.close(word.text)
        inner = len(variables)
        self.ranges += loops
        body, ending = self.body(_ELSE_OR_END)
        self.ranges -= loops
        del variables[inner:]
        otherwise = self._otherwise(word) if ending == "else" else ()
        if ending == "end":
            self.cursor.close("end")
        del variables[outer:]
        return _BRANCHES[word.text](word.at, condition, body, otherwise)

    def _otherwise(self, word: Token) -> Body:
        """What follows an `else`, up to and with the `end` of the whole branch."""
        cursor = self.cursor
        following = cursor.peek()
        if following.kind is Kind.WORD and following.text == word.text != "range":
            cursor.take()
            cursor.enter()
            branch = self._branch(following)
            cursor.leave()
            return (branch,)
        cursor.close("else")
        otherwise, _ = self.body(_END)
        cursor.close("end")
        return otherwise

    def _leap(self, word: Token) -> Break | Continue:
        self.cursor.close(word.text)
        if not self.ranges:
            raise self.cursor.malformed(word.at, f"{{{{{word.text}}}}} outside of a range")
        return Break(word.at) if word.text == "break" else Continue(word.at)

    def _include(self, word: Token) -> Include:
        name = self._name(word)
        bare = self.cursor.peek().kind is Kind.END
        argument = None if bare and word.text == "template" else self.pipelines.pipeline()
        include = Include(word.at, name, argument)
        if word.text == "block":
            self._define(name)
        else:
            self.cursor.close(word.text)
            self.included.append(include)
        return include

    def _define(self, name: str) -> None:
        """The body of a template of its own: it sees no variable and no range of its surroundings."""
        self.cursor.close("define")
        outer, self.ranges = self.ranges, 0
        variables, self.pipelines.variables = self.pipelines.variables, ["$"]
        self.defined[name], _ = self.body(_END)
        self.cursor.close("end")
        self.pipelines.variables, self.ranges = variables, outer

    def _name(self, word: Token) -> str:
        token = self.cursor.take()
        if token.kind is not Kind.STRING:
            shown = self.cursor.shown(token)
            raise self.cursor.malformed(token.at, f"{word.text} needs a name in quotes, not {shown}")
        return self.cursor.read(literals.string, token)
