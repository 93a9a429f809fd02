"""The report on alert quality: which alerts were worth it, which rules are not, and what to change."""

from __future__ import annotations

from collections.abc import Iterator

from rules.reports.document import Block, Document, Figure, Figures, Paragraph, Table, Title, shown
from rules.reports.facts import Change, Heading, QualityFacts, RuleQuality
from rules.reports.improvements import ChangeKind
from rules.reports.writing import Writer


def quality_report(heading: Heading, facts: QualityFacts) -> Document:
    """What to change first, then what that rests on."""
    writer = Writer(heading)
    return writer.document(
        [
            Figures(list(_figures(writer, facts))),
            *_changes(writer, facts),
            *_noise(writer, facts),
            *_pace(writer, facts),
            *_never(writer, facts),
            *_silences(writer, facts),
            *_costs(writer, facts),
            *_faults(writer, facts),
        ]
    )


def _figures(writer: Writer, facts: QualityFacts) -> Iterator[Figure]:
    say, number = writer.say, writer.number
    fired, useful = sum(one.fired for one in facts.rules), sum(one.useful for one in facts.rules)
    judged = useful + sum(one.noise for one in facts.rules)
    precision = writer.share(useful / judged if judged else None)
    acknowledged = sum(one.acknowledged for one in facts.rules)
    alone = sum(one.by_itself for one in facts.rules)
    yield Figure(say("rules"), number(facts.rule_count))
    yield Figure(say("fired"), number(fired))
    yield Figure(say("acknowledged"), say("of", count=number(acknowledged), total=number(fired)))
    yield Figure(say("by_itself"), say("of", count=number(alone), total=number(fired)))
    yield Figure(say("precision"), precision, say("judged", count=number(judged)))
    yield Figure(say("missed_by_people"), number(facts.missed_by_people))
    yield Figure(say("undelivered"), number(facts.undelivered))
    if facts.ticks is not None:
        note = say("ticks.note", late=number(facts.ticks.late), missed=number(facts.ticks.missed))
        yield Figure(say("ticks"), number(facts.ticks.on_time), note)


def _changes(writer: Writer, facts: QualityFacts) -> list[Block]:
    tried = writer.number(facts.tried)
    if not facts.changes:
        return [Title(writer.say("changes")), Paragraph(writer.say("changes.none", tried=tried))]
    rows = [
        [
            writer.name(one.rule),
            writer.say(f"change.{one.kind}", value=shown(one.value)),
            writer.say("before_after", before=writer.number(one.before), after=writer.number(one.after)),
            writer.duration(one.hours * 3600),
            _trade(writer, one),
        ]
        for one in facts.changes
    ]
    head = [writer.say(key) for key in ("rule", "change", "notifications", "history", "trade")]
    how = Paragraph(writer.say("changes.how", tried=tried))
    return [Title(writer.say("changes")), how, Table(head, rows, texts=(0, 1, 4))]


def _trade(writer: Writer, change: Change) -> str:
    """What the change costs, in words."""
    if change.kind == ChangeKind.REMOVE:
        return writer.say("trade.remove")
    parts = []
    if change.lost:
        parts.append(writer.say("trade.lost", lost=change.lost, acted_on=change.acted_on))
    if change.delay_s:
        parts.append(writer.say("trade.later", delay=writer.duration(round(change.delay_s))))
    return "; ".join(parts) or writer.say("trade.none")


def _noise(writer: Writer, facts: QualityFacts) -> list[Block]:
    keys = ("rule", "fired.head", "told", "acknowledged", "by_itself.head", "precision")
    rows = [
        [
            writer.name(one.rule),
            writer.number(one.fired),
            writer.number(one.told),
            _of_fired(writer, one.acknowledged, one),
            _of_fired(writer, one.by_itself, one),
            writer.share(one.precision),
        ]
        for one in facts.rules
    ]
    return writer.section("noise", Table([writer.say(key) for key in keys], rows))


def _of_fired(writer: Writer, count: int, rule: RuleQuality) -> str:
    return f"{writer.number(count)} ({writer.share(count / rule.fired if rule.fired else None)})"


def _pace(writer: Writer, facts: QualityFacts) -> list[Block]:
    keys = ("rule", "changes_per_alert", "ack.median", "repair.median")
    rows = [
        [
            writer.name(one.rule),
            writer.number(one.changes_per_alert, 1),
            writer.duration(one.to_acknowledge_s),
            writer.duration(one.to_repair_s),
        ]
        for one in facts.rules
    ]
    return writer.section("pace", Table([writer.say(key) for key in keys], rows))


def _never(writer: Writer, facts: QualityFacts) -> list[Block]:
    blocks: list[Block] = [
        Title(f"{writer.say('never_fired')} ({writer.number(facts.never_fired_count)})"),
        Paragraph(writer.say("never_fired.long")),
        Paragraph(", ".join(writer.name(name) for name in facts.never_fired) or writer.say("none")),
    ]
    rows = [[writer.name(one.name), writer.number(one.count)] for one in facts.never_matching]
    return blocks + writer.section(
        "never_matching", Table([writer.say("rule"), writer.say("selectors")], rows)
    )


def _silences(writer: Writer, facts: QualityFacts) -> list[Block]:
    rows = [
        [
            writer.name(one.matchers),
            writer.name(one.author),
            writer.moment(one.since),
            writer.moment(one.until),
        ]
        for one in facts.stale_silences
    ]
    head = [writer.say(key) for key in ("labels", "author", "since", "until")]
    return writer.section("stale_silences", Table(head, rows, texts=(0, 1)))


def _costs(writer: Writer, facts: QualityFacts) -> list[Block]:
    rows = [[writer.name(one.rule), *map(writer.number, (one.series, one.samples))] for one in facts.costs]
    head = [writer.say(key) for key in ("rule", "series", "samples")]
    return writer.section("costs", Table(head, rows))


def _faults(writer: Writer, facts: QualityFacts) -> list[Block]:
    if not facts.faults:
        return []
    return [Title(writer.say("faults")), *(Paragraph(shown(one)) for one in facts.faults)]
