"""Laws of templates: whatever the text, an answer or a refusal, soon and within the limits."""

from __future__ import annotations

import math
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from rules.notify.gotemplate.limits import TemplateLimits
from rules.notify.templates import FUNCTION_NAMES, TemplateExpander, TemplateFailed, TemplateMalformed

LIMITS = TemplateLimits(steps=500, output=500, depth=20)
SYNTAX = """
{{ }} {{- -}} | ( ) := = , . .a .Labels $ $x $labels $value if else end range with define template block
break continue "t" "%v" `r` 'c' 1 2.5 1e9 -1 nil true /* */ text é
"""
PIECES = st.sampled_from([" ", "\n", "\0", *SYNTAX.split(), *sorted(f"{name} " for name in FUNCTION_NAMES)])
ACTIONS = st.lists(PIECES, max_size=6).map(lambda words: "{{ " + " ".join(words) + " }}")


@given(st.lists(PIECES | ACTIONS | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_is_filled_or_refused(text):
    shown = ""
    with suppress(TemplateMalformed, TemplateFailed):
        shown = TemplateExpander(limits=LIMITS).expand(text, {"a": "b"}, 1.5)
    assert len(shown) <= LIMITS.output


@given(st.text().filter(lambda text: "{{" not in text and "\0" not in text))
def test_a_text_without_actions_is_itself(text):
    assert TemplateExpander().expand(text, {}, 0.0) == text


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,3}", fullmatch=True),
        st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    )
)
def test_labels_are_shown_as_they_are(labels):
    text = "".join(f"{{{{ $labels.{name} }}}}" for name in labels)
    assert TemplateExpander().expand(text, labels, 0.0) == "".join(labels.values())


@given(st.floats())
def test_a_shown_value_reads_back_as_itself(value):
    shown = float(TemplateExpander().expand("{{ $value }}", {}, value))
    assert shown == value or (math.isnan(shown) and math.isnan(value))


@given(st.floats(), st.integers(0, 20), st.sampled_from("efgEG"))
def test_floats_are_formatted_as_c_does(value, precision, verb):
    shown = TemplateExpander().expand(f'{{{{ printf "%.{precision}{verb}" $value }}}}', {}, value)
    if math.isfinite(value):
        assert shown == f"{value:.{precision}{verb}}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_humanized_numbers_are_short(value):
    text = "{{ humanize $value }} {{ humanize1024 $value }} {{ humanizePercentage $value }}"
    assert all(len(part) <= 13 for part in TemplateExpander().expand(text, {}, value).split(" "))
