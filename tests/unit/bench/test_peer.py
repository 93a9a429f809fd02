"""What Prometheus gets to compare itself with is what our side has."""

from __future__ import annotations

import numpy as np
import pytest

from rules.bench.peer import history_bodies, measure_peer, peer_is_installed, rule_file
from rules.bench.workloads import HISTORY_TICKS, INTERVAL_MS, RULES_PER_GROUP, SampleSource, workload
from rules.series.encoding import parse_labels
from rules.series.ingest.remote_write import decode_write_request, decompress

NOW_MS = 1_700_000_000_000


def test_history_holds_every_sample_of_every_series():
    work = workload("W2").scaled(30)
    batches = [decode_write_request(decompress(body))[0] for body in history_bodies(work, NOW_MS)]
    label_sets = work.label_sets()

    assert [parse_labels(raw) for batch in batches for raw in batch.labels] == label_sets
    values = np.concatenate([batch.values for batch in batches]).reshape(len(label_sets), HISTORY_TICKS)
    times_ms = np.concatenate([batch.timestamps_ms for batch in batches]).reshape(values.shape)
    assert np.unique(times_ms[:, -1]).tolist() == [NOW_MS]
    assert np.unique(np.diff(times_ms)).tolist() == [INTERVAL_MS]
    source = SampleSource(label_sets)
    for tick in range(1, HISTORY_TICKS + 1):
        np.testing.assert_array_equal(values[:, tick - 1], source.at(tick, 0).values)


def test_rule_file_holds_every_rule():
    work = workload("W1").scaled(RULES_PER_GROUP + 1)
    groups = rule_file(work)["groups"]

    assert [len(group["rules"]) for group in groups] == [RULES_PER_GROUP, 1]
    assert [rule["expr"] for group in groups for rule in group["rules"]] == list(work.expressions())


@pytest.mark.slow
def test_a_real_prometheus_evaluates_the_rules():
    if not peer_is_installed():
        pytest.skip("prometheus is not installed")
    measured = measure_peer(workload("W1").scaled(500), 2)

    assert measured.peer_passes >= 2
    assert measured.peer_rss_mb > 1
