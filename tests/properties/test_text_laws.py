"""Texts of messages never exceed what a service takes, and say what is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.notify.texts import MARKDOWN, PLAIN, SLACK, cut, default_text, fit, utf16_units
from tests.factories.notifications import make_notice, make_notification

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300)
SIZES = st.sampled_from([len, utf16_units])


@given(text=TEXT, limit=st.integers(40, 300), ending=st.text("ab", max_size=10), size=SIZES)
def test_a_cut_text_fits_keeps_its_ending_and_counts_what_is_missing(text, limit, ending, size):
    shown = cut(text, limit, ending=ending, size=size)
    assert size(shown) <= limit
    assert shown.endswith(ending)
    if shown != text + ending:
        kept, _, note = shown.rpartition("… (")
        assert text.startswith(kept)
        assert int(note.split()[0]) == len(text) - len(kept)


@given(parts=st.lists(TEXT, min_size=1, max_size=6), limit=st.integers(100, 900), size=SIZES)
def test_parts_fit_and_those_that_do_not_are_counted(parts, limit, size):
    shown = fit(parts, limit, ending="END", unlisted=2, size=size)
    assert size(shown) <= limit
    assert shown.endswith("END")
    assert "more alerts" in shown


@given(summary=TEXT, markup=st.sampled_from([PLAIN, SLACK, MARKDOWN]), limit=st.integers(500, 4_000))
def test_any_notification_has_a_default_that_fits(summary, markup, limit):
    alerts = tuple(make_notice(annotations={"summary": summary, "runbook_url": summary}) for _ in range(5))
    assert len(default_text(make_notification(alerts=alerts), markup, limit)) <= limit


@given(text=TEXT)
def test_slack_finds_no_mention_in_a_label(text):
    assert "<" not in SLACK.escape(text)
