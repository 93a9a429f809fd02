"""Log lines as series: how often each template of a line was seen.

In: log lines in order. Out: the template of each line, and counts a template and interval, which are
series that any detector takes. Refused: nothing; a line is cut after `MAX_TOKENS` words, and templates
stop at a bound.

The tree has one level for the number of words and then one for each of the first words; a leaf holds
templates, and a line joins the one it shares most words with.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

ANY: Final = "<*>"
MAX_TOKENS: Final = 64
LEVELS: Final = 3
SIMILARITY: Final = 0.5
MAX_TEMPLATES: Final = 2000
OTHER: Final = -1
"""The template of lines that came when there was no room for more."""
_VARIABLE: Final = re.compile(r"^[^a-zA-Z]*$|\d|^[0-9a-fA-F-]{8,}$|^/|://")


@dataclass
class Template:
    """Words of a template, `<*>` where lines differ, and its number."""

    number: int
    words: list[str]

    def similarity(self, words: list[str]) -> float:
        """The share of places where the words are the same."""
        return sum(map(str.__eq__, self.words, words)) / max(len(words), 1)

    def join(self, words: list[str]) -> None:
        """Leave open what a line says otherwise."""
        self.words = [own if own == other else ANY for own, other in zip(self.words, words, strict=True)]


@dataclass
class TemplateTree:
    """Templates learned line by line.

    References
    ----------
    P. He et al. (2017), Drain: an online log parsing approach with fixed depth tree, ICWS.
    """

    templates: list[Template] = field(default_factory=list)
    _leaves: dict[tuple[int | str, ...], list[Template]] = field(default_factory=dict)

    def learn_one(self, line: str) -> int:
        """The number of the line's template, which is new if no known one is like it."""
        words = [ANY if _VARIABLE.search(word) else word for word in line.split()[:MAX_TOKENS]]
        leaf = self._leaves.setdefault((len(words), *words[:LEVELS]), [])
        best = max(leaf, key=lambda template: template.similarity(words), default=None)
        if best is not None and best.similarity(words) >= SIMILARITY:
            best.join(words)
            return best.number
        if len(self.templates) >= MAX_TEMPLATES:
            return OTHER
        template = Template(len(self.templates), words)
        self.templates.append(template)
        leaf.append(template)
        return template.number

    def count(self, lines: Iterable[str]) -> Counter[int]:
        """How many lines of each template there are: one interval's samples of the series of counts."""
        return Counter(self.learn_one(line) for line in lines)
