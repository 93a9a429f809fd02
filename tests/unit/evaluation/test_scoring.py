"""Episodes against incidents, one replay against another, and the picture of one."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from rules.evaluation.plots import Band, Line, Plot, draw, round_values, threshold_of
from rules.evaluation.replay import FiringInterval, Replay
from rules.evaluation.scoring import Span, difference, episodes, score
from rules.language.format import format_expr

MINUTE = 60_000


def fired(*spans):
    return [
        FiringInterval(0, number, (), start * MINUTE, end * MINUTE)
        for number, (start, end) in enumerate(spans)
    ]


def spans(*pairs):
    return [Span(start * MINUTE, end * MINUTE) for start, end in pairs]


def test_alerts_that_fire_together_are_one_episode():
    assert episodes(fired((5, 7), (1, 3), (2, 4), (4, 5))) == spans((1, 7))


@pytest.mark.parametrize(
    ("found", "incidents", "precision", "recall", "delay_s"),
    [
        pytest.param([(2, 5)], [(1, 6)], 1.0, 1.0, 60.0, id="found a minute late"),
        pytest.param([(0, 5)], [(1, 6)], 1.0, 1.0, 0.0, id="fired before it began"),
        pytest.param([(2, 5), (8, 9)], [(1, 6)], 0.5, 1.0, 60.0, id="one false alarm"),
        pytest.param([(2, 5)], [(1, 6), (7, 8)], 1.0, 0.5, 60.0, id="one missed"),
        pytest.param([], [(1, 6)], None, 0.0, None, id="nothing fired"),
    ],
)
def test_score(found, incidents, precision, recall, delay_s):
    one = score(spans(*found), spans(*incidents))

    assert (one.precision, one.recall, one.detection_delay_s) == (precision, recall, delay_s)


def test_difference_counts_minutes_of_each_side():
    found = difference(Replay(intervals=fired((0, 10))), Replay(intervals=fired((5, 12))))

    assert (found.minutes_both, found.minutes_only_live, found.minutes_only_draft) == (5, 5, 2)


@pytest.mark.parametrize(
    ("text", "left", "threshold"),
    [
        pytest.param("a > 5", "a", 5, id="constant right"),
        pytest.param("5 < rate(a[5m])", "rate(a[5m])", 5, id="constant left"),
        pytest.param("a > b", "a > b", None, id="no constant"),
    ],
)
def test_threshold_is_the_constant_compared_with(text, left, threshold):
    expr, found = threshold_of(text)

    assert (format_expr(expr), found) == (left, threshold)


def test_picture_is_svg_with_line_threshold_and_shade():
    labels = (("host", '<a>"&'),)
    plot = Plot(np.array([0, 1, 2, 3]) * MINUTE, [Line(labels, [1, None, 2, 3])], 2.5, spans((2, 3)))

    tree = ET.fromstring(draw(plot))

    space = "{http://www.w3.org/2000/svg}"
    lines = [path.get("d") for path in tree.iter(f"{space}path") if path.find(f"{space}title") is not None]
    assert [line.count("M") for line in lines] == [2]
    assert [one.text for one in tree.iter(f"{space}title")] == ['{host="<a>\\"&"}']
    assert len([one for one in tree.iter() if one.get("class") in {"threshold", "firing"}]) == 2


def test_picture_has_bands_that_break_and_a_legend_that_names_everything():
    lines = [Line((("__name__", "load"),), [1, 2, 3, 4])]
    bands = [Band("usual", [0, None, 2, 3], [2, 3, 4, 5])]
    plot = Plot(np.array([0, 1, 2, 3]) * MINUTE, lines, 2.5, spans((2, 3)), bands, legend=True)

    tree = ET.fromstring(draw(plot))

    (area,) = (one for one in tree.iter() if one.get("class") == "band")
    assert area.get("d").count("Z") == 2
    legend = [one.text for one in tree.iter() if one.get("class") == "legend"]
    assert legend == ["load", "usual", "threshold 2.5", "anomalous"]


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        pytest.param(-0.48, 17.6, [0, 5, 10, 15], id="fives"),
        pytest.param(0, 100, [0, 20, 40, 60, 80, 100], id="both ends"),
        pytest.param(5.9e9, 6.1e9, [5.9e9, 5.95e9, 6e9, 6.05e9, 6.1e9], id="large"),
        pytest.param(-0.012, -0.002, [-0.012, -0.01, -0.008, -0.006, -0.004, -0.002], id="small"),
    ],
)
def test_values_of_an_axis_are_round(low, high, values):
    assert round_values(low, high) == pytest.approx(values)
