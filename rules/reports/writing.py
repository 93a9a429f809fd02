"""What the pages of all kinds share: words, numbers and names of one report's language and zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from rules.reports import numbers
from rules.reports.document import Block, Document, Paragraph, Table, Title, shown
from rules.reports.facts import Counted, Heading, Spread
from rules.reports.words import say


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes in the language of a report."""

    heading: Heading

    def say(self, key: str, /, **facts: object) -> str:
        """The words of a key."""
        return say(key, self.heading.language, **facts)

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number."""
        return numbers.number(value, self.heading.language, digits)

    def share(self, value: float | None, digits: int = 0) -> str:
        """A ratio in per cent."""
        return numbers.share(value, self.heading.language, digits)

    def duration(self, seconds: float | None) -> str:
        """A duration."""
        return numbers.duration(seconds, self.heading.language)

    def moment(self, at: str) -> str:
        """A moment by the report's clock."""
        return numbers.moment(at, ZoneInfo(self.heading.timezone))

    def before(self, value: str) -> str:
        """What a figure was in the period before."""
        return self.say("before", value=value)

    def cases(self, spread: Spread) -> str:
        """How many cases a spread is of."""
        count = self.number(spread.count)
        return self.say("cases", count=count, p90=self.duration(spread.p90_s)) if spread.count else ""

    def name(self, text: str) -> str:
        """Somebody's name for something, or that there is none."""
        return shown(text) or self.say("nameless")

    def section(self, key: str, table: Table) -> list[Block]:
        """A titled table; in its place a word when there is no row."""
        body: Block = table if table.rows else Paragraph(self.say("none"))
        return [Title(self.say(key)), body]

    def counts(self, key: str, head: str, now: Sequence[Counted], before: Sequence[Counted]) -> list[Block]:
        """A table of names with how many now and before."""
        earlier = {one.name: one.count for one in before}
        rows = [
            [self.name(one.name), self.number(one.count), self.number(earlier.get(one.name, 0))]
            for one in now
        ]
        return self.section(key, Table([self.say(head), self.say("count"), self.say("count.before")], rows))

    def document(self, blocks: Sequence[Block]) -> Document:
        """The whole report."""
        heading = self.heading
        subtitle = self.say(
            "subtitle",
            kind=self.say(f"kind.{heading.kind}"),
            tenant=shown(heading.tenant),
            start=self.moment(heading.start),
            end=self.moment(heading.end),
            timezone=heading.timezone,
        )
        return Document(heading.language, shown(heading.name), subtitle, blocks)
