"""Stories from series to messages, and what the format refuses."""

from pathlib import Path

import pytest

from alertsite.core.errors import PlatformError
from rules.alerts.timelines import run_timeline
from rules.language.engine import EvaluationLimits

STORIES = sorted((Path(__file__).parents[2] / "golden" / "timelines").glob("*.yaml"))
SHORT = 'load: {up: "0x3"}\nrules: [{alert: Down, expr: "up == 0"}]\n'


class AsTheyStand:
    """Expands nothing."""

    def expand(self, text, labels, value):
        return text


def play(text):
    return run_timeline(text, AsTheyStand(), EvaluationLimits())


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_the_story_goes_as_told(story):
    assert [str(one) for one in play(story.read_text(encoding="utf-8")).differences] == []


def test_what_differs_is_told_with_its_time():
    report = play(SHORT + "expect: {1m: {Down: pending, notified: [Down], why: {Down: silenced}}}")

    assert [str(one) for one in report.differences] == [
        "1m, Down: expected ['pending'], found ['firing']",
        "1m, notified: expected ['Down'], found []",
        "1m, why: expected ['Down silenced'], found ['Down sent']",
    ]
    assert report.messages == ((0, "default", ("Down",)),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "valid dictionary", id="empty"),
        pytest.param(SHORT + "expects: {}", "expects: Extra inputs", id="unknown field"),
        pytest.param(SHORT + "expect: {61s: {}}", "no multiple", id="between the steps"),
        pytest.param(SHORT + "expect: {1y: {}}", "at most", id="too long"),
        pytest.param(SHORT + "route: {gruop_by: []}\nexpect: {1m: {}}", "gruop_by", id="route"),
        pytest.param(SHORT.replace("==", "==="), "expect", id="no expectation"),
    ],
)
def test_a_bad_timeline_is_refused(text, reason):
    with pytest.raises(PlatformError, match=reason):
        play(text)
