"""The report on service levels: each objective, its budget, and how fast that is spent."""

from __future__ import annotations

from collections.abc import Iterator

from rules.reports.document import Block, Document, Figure, Figures, Paragraph, Picture, Table, Title, shown
from rules.reports.facts import Heading, LevelsFacts, ServiceLevel
from rules.reports.pictures import line
from rules.reports.writing import Writer

_DIGITS = 3
"""Of shares: 99.95% is an objective."""


def levels_report(heading: Heading, facts: LevelsFacts) -> Document:
    """Every objective in a table, then each by itself."""
    writer = Writer(heading)
    blocks: list[Block] = [*writer.section("summary", _summary(writer, facts))]
    for level in facts.levels:
        blocks += _level(writer, level)
    return writer.document(blocks)


def _summary(writer: Writer, facts: LevelsFacts) -> Table:
    head = [writer.say(key) for key in ("objective", "window", "budget", "achieved", "budget.spent", "met")]
    rows = [
        [
            f"{writer.name(level.name)} ({writer.share(level.objective, _DIGITS)})",
            writer.duration(level.window_s),
            writer.duration(level.budget * level.window_s),
            writer.share(None if level.bad is None else 1 - level.bad, _DIGITS),
            writer.share(level.spent, 1),
            writer.number(None) if level.spent is None else writer.say("yes" if level.spent <= 1 else "no"),
        ]
        for level in facts.levels
    ]
    return Table(head, rows)


def _level(writer: Writer, level: ServiceLevel) -> Iterator[Block]:
    yield Title(writer.name(level.name))
    yield Paragraph(f"{writer.say('source')}: {shown(level.source)}")
    if level.bad is None or level.spent is None:
        yield Paragraph(writer.say("unmeasured", why=level.unmeasured))
        return
    left = writer.share(1 - level.spent, 1)
    yield Figures(
        [
            Figure(writer.say("achieved"), writer.share(1 - level.bad, _DIGITS)),
            Figure(writer.say("budget"), writer.duration(level.budget * level.window_s)),
            Figure(writer.say("budget.spent"), writer.share(level.spent, 1)),
            Figure(writer.say("budget.left"), left),
        ]
    )
    names = [writer.moment(at)[5:10] for at, _ in level.remaining]
    yield Picture(
        line(names, [share for _, share in level.remaining], floor=0.0),
        writer.say("remaining.alt", last=left),
    )
    rows = [
        [writer.say("burn.last", window=writer.duration(window_s)), writer.number(rate, 2)]
        for window_s, rate in level.burns
    ]
    yield Table([writer.say("window"), writer.say("burn")], rows)
