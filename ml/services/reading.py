"""History of a group's series on its grid.

In: a selector and ticks. Out: label sets and a batch with NaN where a sample is missing; with a host label
one row of metrics a host. Refused: more ticks or samples than a query may have, and more metrics than a host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet, label_set
from alertsite.core.samples import Floats
from ml.detectors.protocol import Batch
from ml.models import ModelGroup
from rules.language.frames import QueryRange
from rules.services.querying import QueryTerms, TenantQueries

LOOKBACK_STEPS: Final = 2
"""A sample counts for this many ticks: scrapes and ticks do not meet exactly, and a gap must stay a gap."""

MAX_METRICS: Final = 200
"""Metrics of one host, of all hosts together."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Series of a selector at ticks, in the order of `labels`.

    `batch` has one metric a series; of hosts it has one for each of `columns`, the label sets of their
    metrics without the host.
    """

    labels: list[LabelSet]
    batch: Batch
    columns: tuple[LabelSet, ...] = ()

    @property
    def values(self) -> Floats:
        """Shape (n_series, n_points); of hosts how many of their metrics are there, NaN for none."""
        if not self.columns:
            return self.batch.values[:, 0]
        present = np.isfinite(self.batch.values).sum(axis=1)
        return np.where(present > 0, present.astype(np.float64), np.nan)

    def only(self, wanted: Sequence[LabelSet], columns: Sequence[LabelSet] = ()) -> Grid:
        """These series and columns, in this order; all missing where the grid lacks one."""
        columns = tuple(columns) or self.columns
        place = {labels: number for number, labels in enumerate(self.labels)}
        column_of = {labels: number for number, labels in enumerate(self.columns)} or {(): 0}
        there = [number for number, one in enumerate(columns or [()]) if one in column_of]
        taken = [column_of[(columns or [()])[number]] for number in there]
        values = np.full((len(wanted), max(len(columns), 1), self.batch.points), np.nan)
        for number, labels in enumerate(wanted):
            if labels in place:
                values[number, there] = self.batch.values[place[labels], taken]
        return Grid(list(wanted), Batch(self.batch.timestamps_ms, values, self.batch.step_ms), columns)

    def since_first_sample(self) -> Grid:
        """The grid without the rows before any series began."""
        first = int(np.argmax(np.isfinite(self.values).any(axis=0)))
        return Grid(self.labels, self.batch.rows(first, self.batch.points), self.columns)


def read_group(group: ModelGroup, ticks: range, *, now_ms: int) -> Grid:
    """The series, or with a host label the hosts, of a group at these ticks.

    Raises
    ------
    InvalidParameter
        If the hosts have more than `MAX_METRICS` metrics.
    """
    grid = read_grid(group.tenant_id, group.selector, ticks, now_ms=now_ms)
    return by_host(grid, group.host_label) if group.host_label else grid


def by_host(grid: Grid, host_label: str) -> Grid:
    """One row a host; series without the label are left out."""
    named = [(dict(labels).get(host_label, ""), number) for number, labels in enumerate(grid.labels)]
    hosts = sorted({host for host, _ in named if host})
    metric_of = [tuple(pair for pair in labels if pair[0] != host_label) for labels in grid.labels]
    columns = tuple(sorted({metric_of[number] for host, number in named if host}))
    if len(columns) > MAX_METRICS:
        raise InvalidParameter("host_label", host_label, f"{MAX_METRICS} metrics a host, not {len(columns)}")
    place, column = ({one: number for number, one in enumerate(each)} for each in (hosts, columns))
    values = np.full((len(hosts), max(len(columns), 1), grid.batch.points), np.nan)
    for host, number in named:
        if host:
            values[place[host], column[metric_of[number]]] = grid.values[number]
    batch = Batch(grid.batch.timestamps_ms, values, grid.batch.step_ms)
    return Grid([label_set({host_label: host}) for host in hosts], batch, columns)


def read_scores(group: ModelGroup, ticks: range, *, now_ms: int) -> Grid:
    """What the group itself wrote as `anomaly_score` at these ticks."""
    return read_grid(group.tenant_id, f'anomaly_score{{model_group="{group.name}"}}', ticks, now_ms=now_ms)


def read_grid(tenant_id: UUID, selector: str, ticks: range, *, now_ms: int) -> Grid:
    """The series at these ticks, from the hot store and the archive."""
    found = TenantQueries(tenant_id, now_ms).over_range(
        selector,
        QueryRange(ticks[0], ticks[-1], ticks.step),
        QueryTerms(lookback_ms=LOOKBACK_STEPS * ticks.step),
    )
    values = np.where(found.present, found.values, np.nan)
    batch = Batch(np.array(ticks), values.reshape(len(found.labels), 1, len(ticks)), ticks.step)
    return Grid(list(found.labels), batch)
