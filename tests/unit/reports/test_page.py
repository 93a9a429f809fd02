"""docs/reports.md: its pictures can be drawn, its examples are accepted."""

from __future__ import annotations

import json
import re
from pathlib import Path

from django_celery_beat.models import CrontabSchedule

from rules.reports.options import LevelsOptions, read_options
from rules.reports.periods import ReportKind, zone_of
from tests.pictures import IMAGES, draw

PAGE = (Path(__file__).parents[3] / "docs" / "reports.md").read_text(encoding="utf-8")
SCHEDULE, OPTIONS = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
HEADER_BYTES = 24
"""Of a PNG: its signature and its size in dots."""


def test_the_pictures_of_the_page_are_those_that_are_drawn(tmp_path):
    drawn = draw(tmp_path)
    assert sorted(re.findall(r"\(images/([\w.-]+)\)", PAGE)) == sorted(path.name for path in drawn)
    for path in drawn:
        kept = (IMAGES / path.name).read_bytes()
        assert kept[:HEADER_BYTES] == path.read_bytes()[:HEADER_BYTES]


def test_the_examples_are_accepted():
    zone_of(SCHEDULE["timezone"])
    fields = dict(
        zip(
            ("minute", "hour", "day_of_month", "month_of_year", "day_of_week"),
            SCHEDULE["crontab"].split(),
            strict=True,
        )
    )
    CrontabSchedule(**fields, timezone=SCHEDULE["timezone"]).clean_fields()
    assert ReportKind(SCHEDULE["kind"])
    options = read_options(ReportKind.SERVICE_LEVELS, OPTIONS)
    assert isinstance(options, LevelsOptions)


def test_every_kind_is_on_the_page():
    assert [kind for kind in ReportKind if f"`{kind}`" not in PAGE] == []
