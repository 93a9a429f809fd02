"""Documents as HTML and PDF: their numbers, both languages, and texts that would like to be markup."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader

from rules.reports import numbers, rendering
from rules.reports.document import Document, Paragraph, Table, shown
from rules.reports.facts import Counted, LongAlert
from rules.reports.html import to_html
from rules.reports.pdf import to_pdf
from rules.reports.periods import ReportKind
from rules.reports.rendering import ReportTooLarge, document_of, render
from rules.reports.words import _WORDS, say
from tests.factories.reports import (
    make_heading,
    make_levels_facts,
    make_operations_facts,
    make_quality_facts,
)

HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="a script"),
    pytest.param('"><img src=x onerror=alert(1)>', id="an attribute"),
    pytest.param('#panic("x") #strong[y] $x^2$ \\ *a* _b_ `c`', id="Typst markup"),
    pytest.param('#read("/etc/passwd")', id="a Typst call"),
    pytest.param("&lt;b&gt; ]]> -->", id="entities"),
    pytest.param("{now.__class__} %s {{ x }}", id="formats"),
]
FACTS = {
    "operations_daily": make_operations_facts,
    "operations_weekly": make_operations_facts,
    "operations_monthly": make_operations_facts,
    "service_levels": make_levels_facts,
    "alert_quality": make_quality_facts,
}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


def page_of(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    return page


def text_of(pdf: bytes) -> str:
    """What the PDF says, without the places at which long words may break."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text().replace("\u200b", "") for page in pages).split())


@pytest.mark.parametrize("language", numbers.LANGUAGES)
@pytest.mark.parametrize("kind", ReportKind)
def test_every_kind_is_made_in_both_languages(kind, language):
    heading = make_heading(kind=kind, language=language)
    made = render(heading, FACTS[kind]())
    assert made.pdf.startswith(b"%PDF")
    for text in (" ".join(page_of(made.html).texts), text_of(made.pdf)):
        assert say(f"kind.{kind}", language) in text
        assert "Weekly digest" in text


def test_numbers_stand_in_both_forms():
    made = render(make_heading(), make_operations_facts())
    for text in (" ".join(page_of(made.html).texts), text_of(made.pdf)):
        flat = " ".join(text.split())
        for number in ("1,234", "617 of 1,234", "398 of 400", "before: 1,000", "1 d 1 h", "40,319", "0.21 s"):
            assert number in flat.replace("\u00a0", " "), number


def test_the_three_changes_show_their_figures_and_trade():
    text = text_of(render(make_heading(kind="alert_quality"), make_quality_facts()).pdf)
    assert "412 → 37" in text
    assert "fires 5 min later" in text.replace("\u00a0", " ")
    assert "nobody acted on any of its alerts" in text


def test_a_spent_budget_is_told():
    text = text_of(render(make_heading(kind="service_levels"), make_levels_facts()).pdf)
    assert "50.0%" in text
    assert "99.950%" in text
    assert "Not measured: the rule was deleted." in text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_text(text):
    facts = make_operations_facts(
        by_rule=[Counted(text, 7)],
        longest=[LongAlert(text, text, "2026-02-24T08:00:00+00:00", 5.0, True)],
    )
    made = render(make_heading(name=text, tenant=text), facts)
    page = page_of(made.html)
    assert not {"script", "img", "b"} & page.tags
    assert not any(name.startswith("on") for name in page.attributes)
    assert page.texts.count(text) >= 3
    assert "".join(text.split()) in "".join(text_of(made.pdf).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\u202eb\u2066c", "a b c", id="turned direction"),
        pytest.param("a\nb\r\n\tc\x00", "a b c", id="controls"),
        pytest.param("שלום مرحبا", "שלום مرحبا", id="right to left"),
        pytest.param("x" * 161, "x" * 159 + "…", id="too long"),
        pytest.param(" " * 10_000_000 + "x", "", id="megabytes"),
    ],
)
def test_shown_is_one_bounded_line(text, expected):
    assert shown(text) == expected


def test_long_words_and_many_rows_make_pages_not_errors():
    table = Table(["name", "count"], [["x" * 160, str(row)] for row in range(300)])
    pdf = to_pdf(Document("en", "t" * 160, "s", [Paragraph("א" * 100), table]), made_s=0)
    assert len(PdfReader(io.BytesIO(pdf)).pages) > 3


def test_the_same_facts_make_the_same_files():
    assert render(make_heading(), make_operations_facts()) == render(make_heading(), make_operations_facts())


def test_the_page_needs_nothing_from_elsewhere():
    html = to_html(document_of(make_heading(kind="service_levels"), make_levels_facts()))
    addresses = set(re.findall(r"""(?:src|href|url\()\s*=?\s*["']?([^"')\s>]+)""", html))
    assert addresses == set()
    assert set(re.findall(r"https?://[^\s\"]+", html)) == {"http://www.w3.org/2000/svg"}


def test_a_report_too_large_to_send_is_refused(monkeypatch):
    monkeypatch.setattr(rendering, "MAX_BYTES", 1000)
    with pytest.raises(ReportTooLarge):
        render(make_heading(), make_operations_facts())


@pytest.mark.parametrize("key", sorted(_WORDS))
def test_both_languages_name_the_same_facts(key):
    english, french = (set(re.findall(r"{(\w+)}", words)) for words in _WORDS[key])
    assert english == french


@pytest.mark.parametrize(
    ("seconds", "language", "expected"),
    [
        pytest.param(0.214, "en", "0.21 s", id="parts of a second"),
        pytest.param(59, "fr", "59 s", id="seconds"),
        pytest.param(3700, "en", "1 h 1 min", id="two units"),
        pytest.param(200_000, "fr", "2 j 7 h", id="days in French"),
        pytest.param(None, "en", "—", id="nothing"),
    ],
)
def test_durations_are_written_short(seconds, language, expected):
    assert numbers.duration(seconds, language).replace("\u00a0", " ") == expected
