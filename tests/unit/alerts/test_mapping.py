"""Documents of other systems as alerts; what does not fit is named."""

from datetime import UTC, datetime

import pytest

from rules.alerts.mapping import InvalidMapping, UnmappedDocument, parse_mapping, read_alerts

GRAFANA = {
    "alerts": "$.alerts[*]",
    "alertname": "@.labels.alertname",
    "status": {"path": "@.status"},
    "labels": "@.labels",
    "annotations": {"summary": "@.annotations.summary", "source": "grafana", "board": "$.externalURL"},
    "starts_at": "@.startsAt",
    "ends_at": "@.endsAt",
    "url": "@.generatorURL",
}
POSTED = {
    "externalURL": "https://grafana.example/",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Busy", "host": "a", "cpu": 3, "on": True, "deep": {}},
            "annotations": {},
            "startsAt": "2026-03-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://grafana.example/1",
        },
        {"status": "resolved", "labels": {"alertname": "Slow"}},
    ],
}


def read(document, **mapping):
    return read_alerts(parse_mapping({"alertname": "@.name"} | mapping), document)


def test_each_alert_of_a_document_is_read():
    first, second = read_alerts(parse_mapping(GRAFANA), POSTED)
    assert first.labels == {"alertname": "Busy", "host": "a", "cpu": "3", "on": "true"}
    assert first.annotations == {"source": "grafana", "board": "https://grafana.example/"}
    assert (first.firing, first.ends_at, first.url) == (True, None, "https://grafana.example/1")
    assert first.starts_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (second.firing, second.labels["alertname"]) == (False, "Slow")


@pytest.mark.parametrize(
    ("document", "mapping", "names"),
    [
        pytest.param({"name": "A"}, {}, ["A"], id="one document, one alert"),
        pytest.param([{"name": "A"}, {"name": "B"}], {}, ["A", "B"], id="a list of alerts"),
        pytest.param({"all": [{"name": "A"}]}, {"alerts": "$.all"}, ["A"], id="a list below"),
        pytest.param({"all": []}, {"alerts": "$.all"}, [], id="an empty list"),
        pytest.param({"all": []}, {"alerts": "$.all[*]"}, [], id="each of none"),
        pytest.param({}, {"alertname": "Constant"}, ["Constant"], id="a constant"),
    ],
)
def test_where_alerts_lie(document, mapping, names):
    assert [alert.labels["alertname"] for alert in read(document, **mapping)] == names


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("2026-03-01T12:00:00", 12, id="without a zone it is UTC"),
        pytest.param("2026-03-01T12:00:00+02:00", 10, id="with a zone"),
        pytest.param(1772366400, 12, id="seconds"),
        pytest.param(1772366400000, 12, id="milliseconds"),
    ],
)
def test_moments(value, expected):
    (alert,) = read({"name": "A", "at": value}, starts_at="@.at")
    assert alert.starts_at.astimezone(UTC).hour == expected


@pytest.mark.parametrize(
    ("document", "mapping", "fault"),
    [
        pytest.param({}, {}, "alert 0, alertname: @.name finds nothing", id="no name"),
        pytest.param({"name": {}}, {}, "alert 0, alertname: @.name finds a object", id="a name that is none"),
        pytest.param({}, {"alerts": "$.x"}, "alerts: $.x finds nothing", id="no alerts"),
        pytest.param({"x": 1}, {"alerts": "$.x[*]"}, "alerts: $.x[*] finds nothing", id="no list"),
        pytest.param(
            [{"name": "A"}, {"name": "B", "h": []}],
            {"labels": {"host": "@.h"}},
            "alert 1, labels.host: @.h finds a list",
            id="the second alert",
        ),
        pytest.param(
            {"name": "A", "s": "odd"},
            {"status": {"path": "@.s"}},
            "alert 0, status: @.s finds 'odd', accepts firing, resolved",
            id="a status that nobody knows",
        ),
        pytest.param({"name": "A", "at": "noon"}, {"starts_at": "@.at"}, "no moment", id="no moment"),
        pytest.param({"name": "A", "at": 10**30}, {"starts_at": "@.at"}, "no moment", id="beyond all years"),
        pytest.param(
            {"name": "A", "at": "9999-12-31T23:59:59-14:00"}, {"ends_at": "@.at"}, "no moment", id="9999"
        ),
        pytest.param({"name": "A\0"}, {}, "NUL", id="NUL"),
        pytest.param(
            {"name": "A", "l": 3}, {"labels": "@.l"}, "accepts an object", id="labels that are none"
        ),
        pytest.param([{}] * 1001, {}, "finds 1001, accepts at most 1000", id="too many"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(document, mapping, fault):
    with pytest.raises(UnmappedDocument) as refused:
        read(document, **mapping)
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        pytest.param({}, "alertname", id="no alertname"),
        pytest.param({"alertname": "$.a["}, "alertname", id="a path that does not read"),
        pytest.param({"alertname": "x", "labels": {"a-b": "c"}}, "labels", id="no label name"),
        pytest.param(
            {"alertname": "x", "labels": {"a": "$.b[*]"}}, "labels.a", id="many values for one label"
        ),
        pytest.param({"alertname": "x", "status": {"path": "firing"}}, "status.path", id="no path"),
        pytest.param({"alertname": "x", "expires_after": "9y"}, "expires_after", id="too long a wait"),
        pytest.param({"alertname": "x", "more": 1}, "more", id="unknown key"),
        pytest.param({"alertname": "x\0"}, "alertname", id="NUL"),
        pytest.param([], "dictionary", id="no object"),
    ],
)
def test_mappings_that_do_not_read_are_refused_at_their_place(mapping, place):
    with pytest.raises(InvalidMapping, match=place):
        parse_mapping(mapping)
