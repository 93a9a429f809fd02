"""Alerts that belong together become one incident, with the reason."""

import pytest

from alertsite.core.errors import InvalidParameter
from rules.alerts.incidents import MAX_MEMBERS, Assignment, CorrelationTerms, Incident, assign, join

TERMS = CorrelationTerms(
    labels=("cluster", "host"),
    window_ms=100,
    topology_labels=("service",),
    edges=frozenset({("database", "shop")}),
)
EU = Incident("eu", 1000, ({"cluster": "eu", "host": "a"},))
US = Incident("us", 1050, ({"cluster": "us", "host": "a", "service": "database"},))


@pytest.mark.parametrize(
    ("labels", "starts_ms", "expected"),
    [
        pytest.param(
            {"cluster": "eu"}, 1100, Assignment("eu", "shared_labels", ("cluster=eu",)), id="shared label"
        ),
        pytest.param(
            {"cluster": "eu", "host": "a"},
            1100,
            Assignment("eu", "shared_labels", ("cluster=eu", "host=a")),
            id="the one that shares most",
        ),
        pytest.param(
            {"host": "a"}, 1100, Assignment("us", "shared_labels", ("host=a",)), id="else the latest"
        ),
        pytest.param(
            {"service": "shop"}, 1100, Assignment("us", "topology", ("database -> shop",)), id="topology"
        ),
        pytest.param({"cluster": "eu"}, 1101, Assignment(None, "nothing_shared"), id="too late for that one"),
        pytest.param({"cluster": ""}, 1100, Assignment(None, "nothing_shared"), id="empty is not shared"),
        pytest.param({"host": "a"}, 1151, Assignment(None, "nothing_near_in_time"), id="too late for all"),
    ],
)
def test_an_alert_joins_an_incident(labels, starts_ms, expected):
    assert assign(labels, starts_ms, [EU, US], TERMS) == expected


def test_the_first_alert_begins_an_incident():
    assert assign({"host": "a"}, 0, [], TERMS) == Assignment(None, "nothing_open")


def test_an_incident_remembers_its_newest_alerts():
    incident = Incident("i", 0, ())
    for number in range(MAX_MEMBERS + 1):
        incident = join(incident, {"host": str(number)}, number)

    assert (len(incident.members), incident.members[0]["host"], incident.last_ms) == (MAX_MEMBERS, "1", 50)


@pytest.mark.parametrize("fields", [{"window_ms": 0}, {"window_ms": 1, "least_shared": 0}])
def test_terms_that_make_no_sense_are_refused(fields):
    with pytest.raises(InvalidParameter):
        CorrelationTerms(("host",), **fields)
