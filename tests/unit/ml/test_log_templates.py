"""Log templates."""

from __future__ import annotations

from ml.detectors.log_templates import ANY, MAX_TEMPLATES, OTHER, TemplateTree

LINES = [
    "connection from 10.0.0.1 closed after 35 ms",
    "connection from 10.0.0.7 closed after 7 ms",
    "user alice logged in successfully today",
    "user alice logged in successfully again",
]


def test_lines_that_differ_in_numbers_share_a_template():
    tree = TemplateTree()

    assert tree.count(LINES) == {0: 2, 1: 2}
    assert tree.templates[0].words == ["connection", "from", ANY, "closed", "after", ANY, "ms"]
    assert tree.templates[1].words[-1] == ANY


def test_a_known_line_keeps_its_template():
    tree = TemplateTree()
    first = [tree.learn_one(line) for line in LINES]

    assert [tree.learn_one(line) for line in LINES] == first


def test_templates_are_bounded():
    tree = TemplateTree()
    for number in range(MAX_TEMPLATES):
        tree.learn_one("z" * (number + 1))

    assert tree.learn_one("something else") == OTHER


def test_an_empty_line_is_a_template_too():
    assert TemplateTree().learn_one("") == 0
