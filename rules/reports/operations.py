"""The operations digest: what fired, who was told and how fast, what went wrong; with the period before."""

from __future__ import annotations

from collections.abc import Iterator

from rules.reports.document import Block, Document, Figure, Figures, Picture, Table, Title
from rules.reports.facts import Heading, Operations, OperationsFacts
from rules.reports.pictures import bars
from rules.reports.writing import Writer


def operations_report(heading: Heading, facts: OperationsFacts) -> Document:
    """The digest of a period."""
    writer, now, before = Writer(heading), facts.now, facts.before
    return writer.document(
        [
            Figures(list(_figures(writer, now, before))),
            *_over_time(writer, now),
            *writer.counts("by_severity", "severity", now.by_severity, before.by_severity),
            *writer.counts("by_rule", "rule", now.by_rule, before.by_rule),
            *writer.counts("by_service", "service", now.by_service, before.by_service),
            *_longest(writer, now),
            *_receivers(writer, now),
            *writer.counts("suppressed", "reason", now.suppressed, before.suppressed),
            *_repairs(writer, now),
        ]
    )


def _figures(writer: Writer, now: Operations, before: Operations) -> Iterator[Figure]:
    say, number = writer.say, writer.number
    yield Figure(say("fired"), number(now.fired), writer.before(number(before.fired)))
    yield Figure(say("resolved"), number(now.resolved), writer.before(number(before.resolved)))
    acknowledged = say("of", count=number(now.acknowledged), total=number(now.fired))
    yield Figure(say("acknowledged"), acknowledged, writer.before(number(before.acknowledged)))
    for key, spread in (("to_acknowledge", now.to_acknowledge), ("to_repair", now.to_repair)):
        yield Figure(say(key), writer.duration(spread.p50_s), writer.cases(spread))
    yield Figure(say("delivered"), *_delivered(writer, now, before))
    yield Figure(say("dead"), number(now.dead), _kept(writer, before, before.dead))
    yield Figure(say("undelivered"), number(now.undelivered), writer.before(number(before.undelivered)))
    yield Figure(say("ticks"), *ticks_in_words(writer, now))
    yield Figure(say("silences"), number(now.silences), writer.before(number(before.silences)))
    if now.repairs_begun:
        repaired = say("of", count=number(now.repaired), total=number(now.repairs_begun))
        yield Figure(say("repaired"), repaired, writer.before(number(before.repaired)))


def _delivered(writer: Writer, now: Operations, before: Operations) -> tuple[str, str]:
    delivered, messages = (
        sum(one.delivered for one in now.receivers),
        sum(one.messages for one in now.receivers),
    )
    value = writer.say("of", count=writer.number(delivered), total=writer.number(messages))
    return value, _kept(writer, before, sum(one.delivered for one in before.receivers))


def _kept(writer: Writer, before: Operations, count: int) -> str:
    """What a count of messages was before; they are kept as long as the ledger."""
    return writer.before(writer.number(None if before.ticks is None else count))


def ticks_in_words(writer: Writer, now: Operations) -> tuple[str, str]:
    """Evaluations on time, and a note on the others."""
    if now.ticks is None:
        return writer.number(None), ""
    note = writer.say(
        "ticks.note", late=writer.number(now.ticks.late), missed=writer.number(now.ticks.missed)
    )
    return writer.number(now.ticks.on_time), note


def _over_time(writer: Writer, now: Operations) -> Iterator[Block]:
    if not now.fired:
        return
    names = [writer.moment(one.name)[5:] for one in now.over_time]
    if all(name.endswith(" 00:00") for name in names):
        names = [name.removesuffix(" 00:00") for name in names]
    alt = writer.say("over_time.alt", first=names[0], count=writer.number(now.fired))
    yield Title(writer.say("over_time"))
    yield Picture(bars(names, [one.count for one in now.over_time]), alt)


def _longest(writer: Writer, now: Operations) -> list[Block]:
    head = [writer.say(key) for key in ("alert", "labels", "since", "lasted", "over")]
    rows = [
        [
            writer.name(one.name),
            writer.name(one.labels),
            writer.moment(one.fired_at),
            writer.duration(one.seconds),
            writer.say("yes" if one.over else "no"),
        ]
        for one in now.longest
    ]
    return writer.section("longest", Table(head, rows, texts=(0, 1)))


def _receivers(writer: Writer, now: Operations) -> list[Block]:
    keys = (
        "receiver",
        "messages",
        "delivered.head",
        "dead.head",
        "cancelled",
        "due",
        "latency.p50",
        "latency.p99",
    )
    rows = [
        [
            writer.name(one.name),
            *map(writer.number, (one.messages, one.delivered, one.dead, one.cancelled, one.due)),
            writer.duration(one.p50_s),
            writer.duration(one.p99_s),
        ]
        for one in now.receivers
    ]
    return writer.section("receivers", Table([writer.say(key) for key in keys], rows))


def _repairs(writer: Writer, now: Operations) -> list[Block]:
    """Nothing where no playbook acted: many tenants have none."""
    if not now.repairs:
        return []
    head = [
        writer.say(key) for key in ("playbook", "did", "approved_by", "outcome", "since", "repaired.after")
    ]
    rows = [
        [
            writer.name(one.playbook),
            writer.name(one.did),
            ", ".join(map(writer.name, one.approved_by)) or writer.say("nobody"),
            writer.say(f"run.{one.state}"),
            writer.moment(one.at),
            writer.duration(one.seconds),
        ]
        for one in now.repairs
    ]
    return writer.section("repairs", Table(head, rows, texts=(0, 1, 2, 3)))
