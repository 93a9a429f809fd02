"""Packs of labelled series on disk: a manifest and one CSV a series.

In: a directory with `manifest.json`. Out: series as arrays, and result files beside their identifiers.
Labels are never read here: what scores a series cannot see them. Refused: a manifest or a series that
cannot be read.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.samples import Bools, Floats, Ints

GZIP_MAGIC = b"\x1f\x8b"
NOT_METRICS = frozenset({"timestamp", "label"})


class InvalidPack(PlatformError):
    """A pack's manifest or one of its series cannot be read."""

    code = "ml.invalid_pack"


@dataclass(frozen=True, slots=True)
class PackSeries:
    """One series of a pack.

    Attributes
    ----------
    stamps
        The timestamps as the file spells them, for the results.
    timestamps_ms, values
        Shapes (n_points,) and (n_metrics, n_points); NaN where a field is empty.
    trained_rows
        Rows before the scored part; 0 if the pack has no training part.
    onsets_count
        True if the pack's benchmark counts each row above the threshold, so that an alarm is raised once.
    """

    id: str
    group: str
    stamps: Sequence[str]
    timestamps_ms: Ints
    values: Floats
    trained_rows: int
    step_s: float
    onsets_count: bool


def read_pack(directory: Path, only: frozenset[str] = frozenset()) -> Iterator[PackSeries]:
    """The series of a pack in the manifest's order; with `only`, those of these identifiers.

    Raises
    ------
    InvalidPack
        If the manifest or a series cannot be read.
    """
    try:
        items = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))["series"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidPack(f"pack {directory.name!r} has no readable manifest.json: {error}") from None
    for item in items:
        if not only or item["id"] in only:
            try:
                yield _read_series(directory, item)
            except (OSError, ValueError, KeyError, StopIteration) as error:
                raise InvalidPack(f"series {item.get('id')!r} cannot be read: {error}") from None


def _read_series(directory: Path, item: dict[str, Any]) -> PackSeries:
    header, rows = _read_csv(directory / item["file"])
    stamp_column = header.index("timestamp")
    metrics = [index for index, name in enumerate(header) if name not in NOT_METRICS]
    stamps = [row[stamp_column] for row in rows]
    timestamps_ms = np.array([to_ms(stamp) for stamp in stamps], np.int64)
    values = np.array([[float(row[index] or "nan") for row in rows] for index in metrics], np.float64)
    start = item.get("eval_start")
    trained_rows = 0 if start is None else int(np.count_nonzero(timestamps_ms < to_ms(str(start))))
    return PackSeries(
        id=item["id"],
        group=item.get("group", ""),
        stamps=stamps,
        timestamps_ms=timestamps_ms,
        values=values,
        trained_rows=trained_rows,
        step_s=float(item.get("step_seconds") or 60.0),
        onsets_count=bool(item.get("nab")),
    )


def read_labels(directory: Path, series: PackSeries) -> Bools:
    """Which rows of a series are labelled anomalous, shape (n_points,); for training only.

    Raises
    ------
    InvalidPack
        If the series has no labels.
    """
    items = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))["series"]
    name = next(item["file"] for item in items if item["id"] == series.id)
    header, rows = _read_csv(directory / name)
    if "label" not in header:
        raise InvalidPack(f"series {series.id!r} has no column 'label'")
    column = header.index("label")
    return np.array([float(row[column] or 0) > 0 for row in rows], np.bool_)


def _read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data).decode("utf-8")
    lines = csv.reader(io.StringIO(text))
    header = [name.strip().lower() for name in next(lines)]
    return header, [row for row in lines if row]


def to_ms(stamp: str) -> int:
    """Milliseconds of a timestamp given as seconds or as a UTC date and time."""
    try:
        return round(float(stamp) * 1000)
    except ValueError:
        moment = datetime.fromisoformat(stamp)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def result_path(directory: Path, series_id: str) -> Path:
    """Where the results of a series lie."""
    return directory / (series_id.replace("/", "__") + ".csv")


def write_columns(path: Path, header: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    """Write a CSV file of text columns of equal length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(zip(*columns, strict=True))
