"""The level of a notification is that of its worst firing alert."""

from __future__ import annotations

import pytest

from rules.notify.severity import severity_of
from tests.factories.notifications import make_notice, make_notification


def alert(word: str | None, state: str = "firing"):
    return make_notice(state=state, labels={} if word is None else {"severity": word})


@pytest.mark.parametrize(
    ("alerts", "levels", "expected"),
    [
        pytest.param([alert("warning"), alert("Critical")], {}, "critical", id="the worst, in any case"),
        pytest.param([alert("info"), alert("critical", "resolved")], {}, "info", id="only what fires"),
        pytest.param([alert("critical", "resolved")], {}, "critical", id="nothing fires"),
        pytest.param([alert(None)], {}, "error", id="no label"),
        pytest.param([alert("odd")], {}, "error", id="unknown word"),
        pytest.param([alert("odd")], {"odd": "info"}, "info", id="the user's word"),
        pytest.param([alert("page")], {"page": "warning"}, "warning", id="the user's meaning"),
    ],
)
def test_level(alerts, levels, expected):
    assert severity_of(make_notification(alerts=tuple(alerts)), levels, "error") == expected
