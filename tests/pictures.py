"""Draws the pictures of docs/reports.md: `python -m tests.pictures [DIRECTORY]`, by default docs/images."""

from __future__ import annotations

import sys
from pathlib import Path

import typst

from rules.reports.facts import Change, Counted, LongAlert, ReceiverFacts
from rules.reports.pdf import TEMPLATE, fonts, inputs_of
from rules.reports.rendering import document_of
from tests.factories.reports import (
    make_change,
    make_heading,
    make_operations_facts,
    make_quality_facts,
    make_rule_quality,
)

IMAGES = Path(__file__).parents[1] / "docs" / "images"
DOTS_PER_INCH = 80


def operations():
    heading = make_heading(name="Week of the platform team", tenant="Acme")
    longest = [
        LongAlert("DiskFull", 'DiskFull{host="db-3"}', "2026-02-24T08:00:00+00:00", 90_061.0, True),
        LongAlert("QueueStuck", 'QueueStuck{queue="mail"}', "2026-02-27T21:10:00+00:00", 14_400.0, True),
    ]
    receivers = [
        ReceiverFacts("pager", 400, 398, 1, 0, 1, 0.21, 12.5),
        ReceiverFacts("team chat", 812, 812, 0, 0, 0, 0.34, 2.1),
    ]
    suppressed = [Counted("silenced", 12), Counted("inhibited", 7)]
    return heading, make_operations_facts(longest=longest, receivers=receivers, suppressed=suppressed)


def quality():
    heading = make_heading(name="How good are our alerts?", kind="alert_quality")
    changes: list[Change] = [
        make_change(),
        make_change(
            rule="CpuBusy", rule_id="2", kind="threshold", value="> 92.5", before=120, after=18, delay_s=0
        ),
        make_change(rule="OldProbe", rule_id="3", kind="remove", value="", before=96, after=0),
    ]
    rules = [
        make_rule_quality(),
        make_rule_quality(
            rule="CpuBusy", fired=60, told=60, acknowledged=21, by_itself=18, useful=9, noise=2
        ),
        make_rule_quality(rule="OldProbe", fired=48, told=48, acknowledged=0, by_itself=48, useful=0),
    ]
    return heading, make_quality_facts(rules=rules, changes=changes)


def draw(directory: Path) -> list[Path]:
    """The first page of each report."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, (heading, facts) in {"operations": operations(), "alert-quality": quality()}.items():
        pages = typst.compile(
            TEMPLATE,
            root=TEMPLATE.parent,
            font_paths=fonts(),
            sys_inputs=inputs_of(document_of(heading, facts)),
            format="png",
            ppi=DOTS_PER_INCH,
        )
        path = directory / f"report-{name}.png"
        path.write_bytes(pages[0] if isinstance(pages, list) else pages)
        drawn.append(path)
    return drawn


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
