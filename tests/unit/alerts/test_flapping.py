"""Flapping begins at one threshold and ends at a lower one."""

import pytest

from alertsite.core.errors import InvalidParameter
from rules.alerts.flapping import Flapping, FlappingReason, FlappingTerms, judge

TERMS = FlappingTerms(window_ms=100, start_changes=4, stop_changes=2)
FLAPPED = Flapping(True, 4, 50, FlappingReason.BEGAN, 999)


@pytest.mark.parametrize(
    ("changed", "before", "now_ms", "state", "reason", "since"),
    [
        pytest.param([], None, 100, False, "steady", None, id="never changed"),
        pytest.param([10, 20, 30], None, 100, False, "steady", None, id="below the start"),
        pytest.param([10, 20, 30, 40], None, 100, True, "began", 100, id="at the start"),
        pytest.param([10, 20, 30, 40], None, 110, False, "steady", None, id="the first left the window"),
        pytest.param([30, 40], FLAPPED, 100, True, "goes_on", 50, id="between the thresholds it goes on"),
        pytest.param([30, 40], FLAPPED, 130, False, "ended", None, id="below the stop it ends"),
        pytest.param(
            [10, 20, 30, 140], None, 100, False, "steady", None, id="what is to come does not count"
        ),
    ],
)
def test_flapping(changed, before, now_ms, state, reason, since):
    found = judge(changed, TERMS, before=before, now_ms=now_ms)

    assert (found.state, found.reason, found.since_ms) == (state, reason, since)


def test_it_says_when_it_would_end():
    found = judge([10, 20, 30, 40], TERMS, before=None, now_ms=50)

    assert judge([10, 20, 30, 40], TERMS, before=found, now_ms=found.next_look_ms - 1).state
    assert not judge([10, 20, 30, 40], TERMS, before=found, now_ms=found.next_look_ms).state


def test_a_person_may_exempt_an_alert():
    exempt = FlappingTerms(100, 4, 2, exempt=True)

    assert judge([1, 2, 3, 4, 5], exempt, before=FLAPPED, now_ms=50).reason is FlappingReason.EXEMPT


@pytest.mark.parametrize("terms", [(0, 4, 2), (100, 2, 4), (100, 4, 0)])
def test_terms_that_make_no_sense_are_refused(terms):
    with pytest.raises(InvalidParameter):
        FlappingTerms(*terms)
