"""Playbooks: what is read, what is refused and where, how steps become a graph."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing.playbooks.conditions import holds, parse_condition
from healing.playbooks.errors import InvalidPlaybook, InvalidText, MissingValue
from healing.playbooks.planner import compile_playbook
from healing.playbooks.references import Scope
from healing.playbooks.rollback import Accepted, to_take_back
from healing.playbooks.templates import fill, parse_template, render
from tests.factories.playbooks import RESTART, playbook_of

SCOPE = Scope(
    labels={"severity": "critical", "service": "checkout", "a-b": "dashed", "n": "5"},
    annotations={"summary": "it is down"},
    value=0.25,
    results={"look": {"held": True, "count": 3}},
    item="eu",
)
RESTART_LINE = 'action: restart_service, account: prod, with: {service: "{{ labels.s }}"}'


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        pytest.param(playbook_of("{dance: 1}"), 4, 5, "unknown step: one of 'action'", id="unknown step"),
        pytest.param(playbook_of("{wait: 1s, check: up}"), 4, 5, "unknown step", id="two kinds in one"),
        pytest.param(playbook_of("{wait: 1s, speed: 2}"), 4, 23, "unknown field 'speed'", id="unknown field"),
        pytest.param(playbook_of("{wait: soon}"), 4, 12, "duration 'soon'", id="not a duration"),
        pytest.param(playbook_of("{wait: 2h}"), 4, 12, "less than or equal", id="wait beyond the bound"),
        pytest.param(
            playbook_of("{action: melt, account: a}"), 4, 5, "unknown action 'melt'", id="no such word"
        ),
        pytest.param(
            playbook_of("{action: scale_group, account: a, with: {group: g, size: many}}"),
            4,
            5,
            "scale_group: size",
            id="a parameter of another type",
        ),
        pytest.param(
            playbook_of("{action: restart_service, account: a, with: {service: s, now: 1}}"),
            4,
            5,
            "restart_service: now",
            id="a parameter that the word does not take",
        ),
        pytest.param(
            playbook_of('{action: restart_service, account: "{{ labels.a }}", with: {service: s}}'),
            4,
            40,
            "never taken from labels",
            id="an account from a label",
        ),
        pytest.param(
            playbook_of('{notify: "{{ labels.team }}", text: x}'),
            4,
            14,
            "never taken",
            id="a receiver from a label",
        ),
        pytest.param(
            playbook_of('{notify: ops, text: "{{ labels.a | upper }}"}'),
            4,
            25,
            "cannot be read",
            id="a template that calls",
        ),
        pytest.param(
            playbook_of('{notify: ops, text: "{% for a in b %}"}'),
            4,
            25,
            "is no template",
            id="another language",
        ),
        pytest.param(
            playbook_of('{notify: ops, text: "{{ labels.__class__.__mro__ }}"}'),
            4,
            25,
            "cannot be read",
            id="a template that reaches into objects",
        ),
        pytest.param(
            playbook_of("{check: 'sum(('}"), 4, 13, "check:", id="an expression that does not parse"
        ),
        pytest.param(
            playbook_of("{wait: 1s, if: 'exit()'}"), 4, 20, "cannot be read", id="a condition that calls"
        ),
        pytest.param(
            playbook_of("{id: a, wait: 1s, after: [b]}", "{id: b, wait: 1s, after: [a]}"),
            4,
            30,
            "in a circle: 'a', 'b'",
            id="a circle",
        ),
        pytest.param(
            playbook_of("{wait: 1s, after: [x]}"), 4, 23, "no step of this list has the id", id="after nobody"
        ),
        pytest.param(
            playbook_of("{id: a, wait: 1s}", "{id: a, wait: 1s}"), 5, 10, "stands twice", id="an id twice"
        ),
        pytest.param(
            playbook_of("{wait: 1s, if: results.b.held}", "{id: b, check: up}"),
            4,
            20,
            "no step before",
            id="a result that comes later",
        ),
        pytest.param(
            playbook_of("{repeat: {times: 11}, steps: [{wait: 1s}]}"),
            4,
            22,
            "less than or equal to 10",
            id="a loop beyond the bound",
        ),
        pytest.param(
            playbook_of("{for_each: [" + "x, " * 21 + "], steps: [{wait: 1s}]}"),
            4,
            16,
            "at most 20",
            id="too many items",
        ),
        pytest.param(
            playbook_of("{parallel: [" + "[{wait: 1s}], " * 9 + "]}"),
            4,
            16,
            "at most 8",
            id="too many branches",
        ),
        pytest.param(
            playbook_of(
                "{repeat: {times: 10}, steps: [{repeat: {times: 10}, steps: [{wait: 1s}, {wait: 1s}, "
                "{wait: 1s}]}]}"
            ),
            4,
            3,
            "limit is 200",
            id="loops in loops",
        ),
        pytest.param(
            playbook_of("{wait: 1s}", head="trigger: {alert: ''}"),
            2,
            18,
            "at least one matcher",
            id="every alert",
        ),
        pytest.param(playbook_of("{wait: 1s}", head="trigger: {}"), 2, 10, "one of alert", id="no trigger"),
        pytest.param(
            playbook_of("{wait: 1s}", head="trigger: {schedule: {crontab: '* *'}}"),
            2,
            31,
            "five fields",
            id="half a crontab",
        ),
        pytest.param(
            playbook_of("{wait: 1s}", head="trigger: {manual: true}\nverify: {for: 1m}"),
            1,
            1,
            "needs an expr",
            id="nothing to verify by",
        ),
        pytest.param("playbook: a\nplaybook: b\n", 2, 1, "stands twice", id="a field twice"),
        pytest.param("[" * 5000, 1, 101, "nested deeper", id="deep YAML"),
        pytest.param("a: &a [*a]", 1, 1, "", id="YAML in itself"),
        pytest.param("", 1, 1, "holds nothing", id="nothing"),
        pytest.param(
            "a: !!python/object/apply:os.system [x]", 1, 1, "cannot be read", id="an object of YAML"
        ),
    ],
)
def test_refused_with_its_place(text, line, column, reason):
    with pytest.raises(InvalidPlaybook) as refusal:
        compile_playbook(text)

    found = refusal.value.problems
    assert any((one.line, one.column) == (line, column) and reason in one.reason for one in found), found


def shape(text):
    return {node.key: (node.kind, node.after, node.gates) for node in compile_playbook(text).nodes}


def test_steps_follow_each_other():
    assert shape(playbook_of("{wait: 1s}", "{check: up}")) == {
        "1": ("wait", (), ()),
        "2": ("check", ("1",), ()),
    }


def test_branches_start_together_and_are_waited_for():
    assert shape(playbook_of("{wait: 1s}", "{parallel: [[{wait: 1s}], [{wait: 2s}]]}", "{wait: 3s}")) == {
        "1": ("wait", (), ()),
        "2/0.1": ("wait", ("1",), ()),
        "2/1.1": ("wait", ("1",), ()),
        "3": ("wait", ("2/0.1", "2/1.1"), ()),
    }


def test_each_round_stands_behind_the_gate_of_the_round_before():
    text = playbook_of(
        "{repeat: {times: 3, until: results.up.held}, steps: [{id: up, check: up, required: false}]}"
    )

    assert shape(text) == {
        "1#0.1": ("check", (), ()),
        "1#1?": ("gate", ("1#0.1",), ()),
        "1#1.1": ("check", ("1#1?",), ("1#1?",)),
        "1#2?": ("gate", ("1#1.1",), ("1#1?",)),
        "1#2.1": ("check", ("1#2?",), ("1#1?", "1#2?")),
    }


def test_items_come_one_after_another():
    plan = compile_playbook(
        playbook_of('{for_each: [a, "{{ labels.b }}"], steps: [{notify: x, text: "{{ item }}"}]}')
    )

    assert [(node.key, node.item, node.after) for node in plan.nodes] == [
        ("1#0.1", "a", ()),
        ("1#1.1", "{{ labels.b }}", ("1#0.1",)),
    ]


def test_after_changes_the_order():
    text = playbook_of(
        "{id: a, wait: 1s, after: [b]}", "{id: b, wait: 1s, after: []}", "{wait: 1s, after: [a, b]}"
    )

    assert [(key, after) for key, (_, after, _) in shape(text).items()] == [
        ("2", ()), ("1", ("2",)), ("3", ("1", "2")),
    ]  # fmt: skip


def test_digest_is_of_the_content_alone():
    commented = RESTART.replace("steps:", "# why\nsteps:")

    assert compile_playbook(commented).playbook.digest == compile_playbook(RESTART).playbook.digest
    assert (
        compile_playbook(RESTART.replace("prod", "test")).playbook.digest
        != compile_playbook(RESTART).playbook.digest
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('labels.severity == "critical"', True, id="equal"),
        pytest.param('labels.severity != "critical"', False, id="not equal"),
        pytest.param('labels.team == ""', True, id="a label that is not there"),
        pytest.param('labels["a-b"] == "dashed"', True, id="a label with a dash"),
        pytest.param("labels.n > 4", True, id="a number in a label"),
        pytest.param("labels.severity > 4", False, id="no number"),
        pytest.param("value < 0.5 and results.look.count >= 3", True, id="and"),
        pytest.param('labels.service =~ "check.*" or false', True, id="pattern, anchored"),
        pytest.param('labels.service !~ "check"', True, id="half a match is none"),
        pytest.param("not (results.look.held and false)", True, id="not, in parentheses"),
        pytest.param("results.other.held", False, id="a result that is not there"),
        pytest.param("results.other.count < 5", False, id="nothing is less than nothing"),
        pytest.param("true or false and false", True, id="and binds more than or"),
    ],
)
def test_condition(text, expected):
    assert holds(parse_condition(text), SCOPE) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "labels",
        "labels.a ==",
        "1 + 1",
        "f(x)",
        "(" * 50 + "true" + ")" * 50,
        "not " * 50 + "true",
        'labels.a =~ "("',
        "labels.a =~ labels.b",
        "__import__",
        '"a" "b"',
        "true and",
        '"\\x41" == "A"',
    ],
)
def test_condition_is_refused(text):
    with pytest.raises(InvalidText):
        parse_condition(text)


@given(st.text())
def test_whatever_a_label_holds_is_only_a_value(value):
    filled = fill({"service": "{{ labels.s }}", "n": 1}, Scope(labels={"s": value}))

    assert filled == {"service": value, "n": 1}


def test_a_value_in_a_value_is_not_read():
    scope = Scope(labels={"a": "{{ labels.b }}", "b": "secret"})

    assert render(parse_template("x{{ labels.a }}"), scope) == "x{{ labels.b }}"


def test_what_is_not_there_is_no_empty_text():
    with pytest.raises(MissingValue, match=r"labels\.gone is not there"):
        fill("{{ labels.gone }}", SCOPE)


def test_taken_back_in_reverse():
    done = [
        Accepted("1", 10, has_inverse=True, undo=True),
        Accepted("2", 20, has_inverse=False, undo=True),
        Accepted("3", 30, has_inverse=True, undo=False),
        Accepted("4", 5, has_inverse=True, undo=True),
    ]

    assert to_take_back(done) == ["1", "4"]
