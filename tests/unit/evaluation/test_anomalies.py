"""Which anomalies are behind an alert, and what people are told of them."""

from __future__ import annotations

import pytest

from rules.evaluation.anomalies import (
    AnomalyReason,
    ScoredAnomaly,
    SeenAnomalies,
    groups_read,
    in_words,
    score_selectors,
)
from rules.language.plan import plan


def anomaly(host: str, score: float = 2.0, *, group: str = "hosts", **values) -> ScoredAnomaly:
    labels = {"host": host, "metric": "load", "model_group": group}
    return ScoredAnomaly(labels, "2026-03-01T12:00:00+00:00", score, "ewma", **values)


SEEN = [anomaly("a"), anomaly("b", 9.0), anomaly("c", 4.0, group="others"), anomaly("d", 3.0)]


@pytest.mark.parametrize(
    ("expr", "labels", "hosts"),
    [
        pytest.param("anomaly_score > 1", {"host": "a", "metric": "load"}, "a", id="one series"),
        pytest.param("max(anomaly_score) > 1", {}, "bcd", id="the strongest of what an aggregation dropped"),
        pytest.param('max(anomaly_score{model_group="others"}) > 1', {}, "c", id="of the group"),
        pytest.param('anomaly_score{host=~"a|d"} and load > 1', {}, "da", id="of the matchers"),
        pytest.param('anomaly_score{host!="b"} or anomaly_score{host="b"}', {"host": "b"}, "b", id="either"),
        pytest.param("anomaly_score > 1", {"host": "z"}, "", id="no such series"),
        pytest.param("anomaly_score > 1", {"host": "a", "team": "db"}, "a", id="labels that a join brought"),
        pytest.param("anomaly_score_shadow > 1", {"host": "a"}, "", id="scores of challengers"),
        pytest.param("load > 1", {"host": "a"}, "", id="no scores"),
    ],
)
def test_anomalies_behind_an_alert(expr, labels, hosts):
    found = SeenAnomalies(SEEN).behind(labels, score_selectors(plan(expr)))
    assert "".join(one.labels["host"] for one in found) == hosts


@pytest.mark.parametrize(
    ("expr", "groups"),
    [
        pytest.param('anomaly_score{model_group="a"} or anomaly_score{model_group="b"}', set("ab"), id="two"),
        pytest.param('anomaly_score{model_group="a"} or anomaly_score', None, id="one of them any"),
        pytest.param('anomaly_score{model_group=~"a|b"}', None, id="a pattern"),
    ],
)
def test_groups_that_an_expression_reads(expr, groups):
    assert groups_read(score_selectors(plan(expr))) == groups


def test_an_anomaly_in_words():
    learned = {"version": 3, "trained_from": "2026-02-01T00:00:00", "trained_until": "2026-02-28T00:00:00"}
    reasons = [AnomalyReason("change", 5.0, 4.26), AnomalyReason("level", 1.0, None)]
    told = anomaly("a", 4.2, value=60.0, expected=9.949, lower=7.0, upper=12.0, reasons=reasons, **learned)
    assert in_words(told) == (
        'load{host="a"} is 60, expected 9.949 (7 to 12), anomaly score 4.2 (above 1 is anomalous). '
        "Strongest: change, 4.3 times the usual bound; level. "
        "Model ewma version 3, learned from 2026-02-01T00:00 to 2026-02-28T00:00."
    )


def test_an_anomaly_of_a_whole_host_without_a_model_in_words():
    told = ScoredAnomaly({"host": "a", "model_group": "hosts"}, "", 2.0, "robust_zscore")
    assert in_words(told) == (
        '{host="a"}, anomaly score 2 (above 1 is anomalous). '
        "Scored by robust_zscore: no model was learned yet."
    )
