"""Templates: golden texts, refusals with positions, limits, and a sandbox without holes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from rules.notify.gotemplate.limits import TemplateLimits
from rules.notify.templates import (
    FUNCTION_NAMES,
    Sample,
    TemplateExpander,
    TemplateFailed,
    TemplateMalformed,
    check_template,
)
from tests.unit.notify.template_world import GOLDEN, SERIES, VALUE, golden_cases, make_expander

SHARED = Path(os.environ.get("ALERTSITE_SHARED", Path(__file__).parents[4] / "shared"))  # noqa: TID251 (a test's data)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted(GOLDEN.glob("*.yaml"))
        for case in golden_cases(path.stem)
    ],
)
def test_golden(case):
    check_template(case["template"])
    assert make_expander().expand(case["template"], SERIES, VALUE) == case["expected"]


def expand(text: str, value: float = VALUE, **labels: str) -> str:
    return TemplateExpander().expand(text, labels, value)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        pytest.param("a {{ $value", "line 1, column 3", "not closed", id="action not closed"),
        pytest.param("a\nb {{ /* x */ }}", "line 2, column 6", "'/'", id="comment after a space"),
        pytest.param("{{/* x }}", "line 1, column 1", "comment is not closed", id="comment not closed"),
        pytest.param(
            "{{/* x */ }}", "line 1, column 10", "must follow a comment", id="comment, then a space"
        ),
        pytest.param("{{ }}", "line 1, column 4", "value is missing", id="empty action"),
        pytest.param('{{ "a }}', "line 1, column 4", "quote", id="quote not closed"),
        pytest.param("{{ $labels-x }}", "line 1, column 11", "'-'", id="dash in a name"),
        pytest.param("{{ $nope }}", "line 1, column 4", "'$nope' is not defined", id="unknown variable"),
        pytest.param("{{ $x = 1 }}", "line 1, column 4", "'$x' is not defined", id="assigned, not declared"),
        pytest.param("{{ humanise 1 }}", "line 1, column 4", "'humanise' is not defined", id="no function"),
        pytest.param("{{ call .x }}", "line 1, column 4", "'call' is not defined", id="call is absent"),
        pytest.param("{{ (1 }}", "line 1, column 4", "parenthesis", id="parenthesis not closed"),
        pytest.param("{{ 1) }}", "line 1, column 5", "')'", id="parenthesis not opened"),
        pytest.param("{{ 1 | }}", "line 1, column 8", "value is missing", id="nothing after a pipe"),
        pytest.param("{{ 1 | 2 }}", "line 1, column 8", "piped", id="pipe into a constant"),
        pytest.param("{{ 1 2 }}", "line 1, column 4", "no arguments", id="constant with arguments"),
        pytest.param("{{ nil }}", "line 1, column 4", "nil", id="nil alone"),
        pytest.param('{{ "a".b }}', "line 1, column 4", "no field", id="field of a constant"),
        pytest.param('{{ "\\q" }}', "line 1, column 4", "escape", id="unknown escape"),
        pytest.param('{{ "\\ud800" }}', "line 1, column 4", "no literal", id="half a surrogate pair"),
        pytest.param("{{ 'ab' }}", "line 1, column 4", "not one character", id="two characters"),
        pytest.param("{{ 99999999999999999999 }}", "line 1, column 4", "64 bits", id="too large an int"),
        pytest.param("{{ 1e999 }}", "line 1, column 4", "64 bits", id="too large a float"),
        pytest.param("{{ 08 }}", "line 1, column 4", "no literal", id="no octal digit"),
        pytest.param("{{ if 1 }}a", "line 1, column 12", "{{end}} is missing", id="if without end"),
        pytest.param("a{{ end }}", "line 1, column 5", "unexpected {{end}}", id="end without if"),
        pytest.param("{{ else }}", "line 1, column 4", "unexpected {{else}}", id="else without if"),
        pytest.param(
            "{{ if 1 }}{{ else }}{{ else }}{{ end }}",
            "line 1, column 24",
            "unexpected {{else}}",
            id="two else",
        ),
        pytest.param("{{ break }}", "line 1, column 4", "outside of a range", id="break without range"),
        pytest.param(
            '{{ range . }}{{ block "b" . }}{{ continue }}{{ end }}{{ end }}',
            "line 1, column 34",
            "outside of a range",
            id="continue in a block of its own",
        ),
        pytest.param(
            "{{ if 1 }}{{ $x := 1 }}{{ end }}{{ $x }}", "line 1, column 36", "'$x'", id="out of scope"
        ),
        pytest.param(
            '{{ define "t" }}{{ $labels }}{{ end }}',
            "line 1, column 20",
            "'$labels'",
            id="no labels in define",
        ),
        pytest.param('{{ template "t" . }}', "line 1, column 4", "'t' is not defined", id="unknown template"),
        pytest.param("{{ template t }}", "line 1, column 13", "name in quotes", id="template without quotes"),
        pytest.param(
            '{{ if 1 }}{{ define "t" }}{{ end }}{{ end }}',
            "line 1, column 14",
            "unexpected {{define}}",
            id="define inside",
        ),
        pytest.param(
            "{{if 1}}" * 60, "line 1, column", "nested 51 deep, the limit is 50", id="nested bodies"
        ),
        pytest.param(
            "{{" + "(" * 60 + "1" + ")" * 60 + "}}",
            "line 1, column",
            "the limit is 50",
            id="nested parentheses",
        ),
        pytest.param("x" * 70_000, "line 1, column 1", "70000 characters, the limit is 65536", id="too long"),
        pytest.param("{{ $x := 1 }}" * 101, "line 1, column", "the limit is 100", id="too many variables"),
    ],
)
def test_malformed_templates_are_refused_at_save(text, position, reason):
    with pytest.raises(TemplateMalformed) as caught:
        check_template(text)
    assert str(caught.value).startswith(position)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        pytest.param(
            "{{ if gt $value 5 }}{{ end }}", "column 7", "write the constant as 5.0", id="int and float"
        ),
        pytest.param(
            'x\n{{ eq 1 "a" }}', "line 2, column 4", "int and string cannot be compared", id="kinds"
        ),
        pytest.param("{{ eq $labels $labels }}", "column 4", "cannot be compared", id="maps"),
        pytest.param("{{ lt true false }}", "column 4", "no order", id="order of truth"),
        pytest.param("{{ .Value.Foo }}", "column 4", "float64 has no field 'Foo'", id="field of a number"),
        pytest.param("{{ .Nope }}", "column 4", "alert has no field 'Nope'", id="field that is not there"),
        pytest.param('{{ query "up" }}', "column 4", "query cannot be used here", id="no query"),
        pytest.param("{{ toUpper 1 }}", "column 4", "needs a string as argument 1, not int", id="type"),
        pytest.param("{{ toUpper }}", "column 4", "takes 1 arguments, there are 0", id="too few arguments"),
        pytest.param('{{ toUpper "a" "b" }}', "column 4", "takes 1 arguments, there are 2", id="too many"),
        pytest.param('{{ humanize "abc" }}', "column 4", '"abc" is no number', id="no number"),
        pytest.param("{{ humanize true }}", "column 4", "bool is no number", id="truth is no number"),
        pytest.param('{{ index "abc" 3 }}', "column 4", "index 3 is out of range", id="index"),
        pytest.param("{{ index $labels 1 }}", "column 4", "key of a map is a string", id="key"),
        pytest.param('{{ slice "abc" 2 1 }}', "column 4", "bounds 2 and 1", id="bounds"),
        pytest.param("{{ len 3 }}", "column 4", "int has no length", id="length of a number"),
        pytest.param("{{ range 1.5 }}{{ end }}", "column 4", "float64 cannot be ranged over", id="range"),
        pytest.param('{{ $value "a" }}', "column 4", "no function", id="a variable takes no arguments"),
        pytest.param('{{ .Value "a" }}', "column 4", "no method", id="a field takes no arguments"),
        pytest.param('{{ match "(" "a" }}', "column 4", "regular expression", id="malformed pattern"),
        pytest.param('{{ parseDuration "1x" }}', "column 4", "duration '1x'", id="malformed duration"),
        pytest.param("{{ toTime 1e300 }}", "column 4", "no time of the years", id="time out of range"),
        pytest.param("{{ toDuration 1e300 }}", "column 4", "longest duration", id="duration out of range"),
        pytest.param('{{ tz "Mars/Base" (toTime 0) }}', "column 4", "no time zone", id="zone"),
        pytest.param(
            '{{ tz "../../../etc/passwd" (toTime 0) }}', "column 4", "no time zone", id="zone of a path"
        ),
        pytest.param('{{ tmpl "nope" 1 }}', "column 4", "name of a defined template", id="tmpl"),
        pytest.param('{{ printf "%2000d" 1 }}', "column 4", "2000, the limit is 1000", id="width"),
        pytest.param("{{ and }}", "column 4", "at least one argument", id="and of nothing"),
    ],
)
def test_failing_templates_say_where_and_why(text, position, reason):
    check_template(text)
    with pytest.raises(TemplateFailed) as caught:
        expand(text)
    assert position in str(caught.value)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("{{ range 1000000000 }}{{ end }}", "steps", id="empty loop"),
        pytest.param("{{ range 1000 }}{{ range 1000 }}x{{ end }}{{ end }}", "steps", id="loops in loops"),
        pytest.param("{{ range 10000 }}{{ $labels.long }}{{ end }}", "65536 characters", id="long output"),
        pytest.param(
            '{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}', "100 deep", id="recursion"
        ),
        pytest.param('{{ define "t" }}{{ tmpl "t" . }}{{ end }}{{ tmpl "t" . }}', "100 deep", id="by tmpl"),
        pytest.param(
            '{{ $x := "a" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}', "65536 characters", id="doubling"
        ),
        pytest.param(
            "{{ $x := args 1 }}{{ range 50 }}{{ $x = args $x }}{{ end }}{{ $x }}", "nested", id="deep"
        ),
        pytest.param(
            "{{ $x := args 1 }}{{ range 15 }}{{ $x = args $x $x }}{{ end }}{{ $x }}",
            "65536 characters",
            id="wide",
        ),
        pytest.param(
            '{{ range 9999 }}{{ $x := reReplaceAll "." "$0$0" $labels.long }}{{ end }}',
            "steps",
            id="replacing",
        ),
        pytest.param(
            '{{ reReplaceAll "." $labels.long $labels.long }}', "65536 characters", id="long replacement"
        ),
        pytest.param(
            '{{ range $i, $_ := 9999 }}{{ match (printf "a{9}b{%d}" $i) "a" }}{{ end }}',
            "steps",
            id="patterns",
        ),
        pytest.param(
            '{{ join $labels.long (stringSlice "a" "b" "c" "d" "e" "f" "g" "h" "i") }}', "65536", id="joining"
        ),
        pytest.param('{{ range 999 }}{{ query "up" }}{{ end }}', "steps", id="queries"),
    ],
)
def test_what_costs_too_much_fails(text, reason):
    expander = TemplateExpander(query=lambda _: [Sample({}, 1.0)])
    with pytest.raises(TemplateFailed, match=reason):
        expander.expand(text, {"long": "y" * 10_000}, VALUE)


def test_a_reason_does_not_repeat_a_long_template():
    with pytest.raises(TemplateMalformed) as caught:
        check_template("{{ " + "x" * 10_000 + " }}")
    assert len(str(caught.value)) < 350


def test_limits_are_the_callers():
    expander = TemplateExpander(limits=TemplateLimits(steps=100, output=5, depth=10))
    with pytest.raises(TemplateFailed, match="beyond 5 characters"):
        expander.expand("123456{{ 1 }}", {}, VALUE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{{ $labels.__class__ }}", "", id="a label that is not there"),
        pytest.param("{{ $labels.items }}", "", id="no method of dict"),
        pytest.param('{{ index $labels "__class__" }}', "", id="nor by index"),
        pytest.param("{{ .__class__ }}", None, id="no attribute of the data"),
        pytest.param("{{ $value.real }}", None, id="no attribute of a number"),
        pytest.param("{{ (toTime 0).moment }}", None, id="no attribute of a time"),
        pytest.param("{{ (toTime 0).methods }}", None, id="no table of methods"),
        pytest.param('{{ (query "up" | first).fields }}', None, id="no attribute of a sample"),
        pytest.param("{{ (args 1).keys }}", "<no value>", id="no attribute of a map"),
        pytest.param(
            '{{ printf "{0.__class__} %(x)s" }}', "{0.__class__} %!((NOVERB)", id="no format of Python"
        ),
    ],
)
def test_no_python_object_can_be_reached(text, expected):
    if expected is None:
        with pytest.raises(TemplateFailed, match="has no field"):
            make_expander().expand(text, {}, VALUE)
    elif "printf" in text:
        assert "<class" not in make_expander().expand(text, {}, VALUE)
    else:
        assert make_expander().expand(text, {}, VALUE) == expected


def test_a_label_is_text_and_no_template():
    assert expand("{{ $labels.a }}", a="{{ $value }}") == "{{ $value }}"


def test_a_text_without_actions_stays_as_it_is():
    assert expand("plain } text { with \\ $labels.a") == "plain } text { with \\ $labels.a"


def test_one_expansion_leaves_nothing_to_the_next():
    text = '{{ define "t" }}{{ . }}{{ end }}{{ $x := $labels.a }}{{ template "t" $x }}'
    assert [expand(text, a="1"), expand(text, a="2")] == ["1", "2"]


def test_the_annotations_of_real_rules_expand():
    folder = SHARED / "data" / "rules"
    if not folder.is_dir():
        pytest.skip(f"no real rules at {folder}: set ALERTSITE_SHARED")
    texts = {
        text
        for path in folder.rglob("*.y*ml")
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        for rule in _rules(document)
        for part in ("labels", "annotations")
        for text in (rule.get(part) or {}).values()
    }
    expander = make_expander()
    shown = [expander.expand(str(text), SERIES, 0.123) for text in texts]
    assert len(shown) > 500
    assert not [text for text in shown if "{{" in text or "%!" in text]


def _rules(node):
    """Every alerting rule somewhere in a document."""
    if isinstance(node, dict):
        if "alert" in node:
            yield node
        for value in node.values():
            yield from _rules(value)
    elif isinstance(node, list):
        for value in node:
            yield from _rules(value)


def test_the_page_on_templates_names_every_function():
    page = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\w+", page)) >= FUNCTION_NAMES
