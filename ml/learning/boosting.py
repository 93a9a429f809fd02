"""Training of the trees in `metric_ensemble`: from labelled packs to an artefact.

In: packs whose series carry labels. Out: trees, and scores of series by trees that saw none of their
group. Refused: packs without labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.samples import Bools, Floats
from ml.detectors.artefacts import pack
from ml.detectors.metric_ensemble import MetricEnsemble, resolution, stream_features, usual
from ml.detectors.protocol import Arrays, Batch
from ml.detectors.stream import STATE, TAUGHT, Floats32
from ml.detectors.trees import Trees, pack_trees
from ml.learning.evaluation import Cost, Run, batch_of, evaluate_pack, probation
from ml.learning.packs import PackSeries, read_labels, read_pack

ORDINARY_ROWS: Final = 8000
ANOMALOUS_ROWS: Final = 4000
"""Rows of a series that are learned from, drawn at random: more cost time and change little."""
ANOMALOUS_SHARE: Final = 0.2
"""The weight of anomalous rows in a series of which 2 % are anomalous; it grows slowly with their
number."""
USUAL_RATE: Final = 0.02
WARM_UP: Final = 2000


@dataclass(frozen=True, slots=True)
class Lesson:
    """Drawn rows of one series: features (n_rows, TAUGHT), labels, weights that sum to 1."""

    group: str
    resolutions: frozenset[str]
    rows: Floats32
    anomalous: Bools
    weights: Floats


def lesson_of(series: PackSeries, labels: Bools, *, seed: int) -> Lesson:
    """What one labelled series of a single metric teaches. Each event weighs the same, however long it
    is.
    """
    random = np.random.default_rng(seed)
    batch = batch_of(series, joint=True)
    start = series.trained_rows or probation(batch.points)
    features = features_of(batch, start)
    usable = np.arange(min(WARM_UP, batch.points // 10), batch.points)
    anomalous, ordinary = usable[labels[usable]], usable[~labels[usable]]
    by_event = event_weights(labels)[anomalous]
    if len(anomalous) > ANOMALOUS_ROWS:
        chosen = random.choice(len(anomalous), ANOMALOUS_ROWS, replace=False, p=by_event / by_event.sum())
        anomalous, by_event = anomalous[chosen], np.ones(ANOMALOUS_ROWS)
    ordinary = random.permutation(ordinary)[:ORDINARY_ROWS]
    share = anomalous_share(float(labels.mean())) if len(anomalous) else 0.0
    weights = np.concatenate(
        [
            share * by_event / max(by_event.sum(), 1e-12),
            np.full(len(ordinary), (1.0 - share) / max(len(ordinary), 1)),
        ]
    )
    drawn = np.concatenate([anomalous, ordinary])
    return Lesson(group_of(series), resolutions_of(series), features[drawn], labels[drawn], weights)


def read_lessons(packs: Sequence[Path], *, seed: int) -> list[Lesson]:
    """The lessons of all series of single metrics in labelled packs."""
    return [
        lesson_of(series, read_labels(pack, series), seed=seed)
        for pack in packs
        for series in read_pack(pack)
        if len(series.values) == 1
    ]


def resolutions_of(series: PackSeries) -> frozenset[str]:
    """Which trees a series teaches.

    Those of hours learn from all, as labelled hours are few; those of minutes not from hours, and not
    from labels that are wide windows around an anomaly.
    """
    own = resolution(round(series.step_s * 1000))
    return frozenset({"hours"} if series.onsets_count else {"hours", own})


def train_all(lessons: Sequence[Lesson], *, seed: int) -> dict[str, Trees]:
    """Trees of each resolution that the lessons teach."""
    taught = {
        each: [lesson for lesson in lessons if each in lesson.resolutions] for each in ("minutes", "hours")
    }
    return {each: train(own, seed=seed) for each, own in taught.items() if own}


def as_artefact(trees: Trees, lessons: Sequence[Lesson]) -> bytes:
    """Trees as an artefact that says what they were trained on."""
    rows = sum(len(lesson.rows) for lesson in lessons)
    notes = {"series": str(len(lessons)), "rows": str(rows), "trees": str(len(trees.roots))}
    return pack("metric_ensemble_trees", trees.to_arrays(), notes)


def cross_validate(packs: Sequence[Path], out: Path, folds: int, run: Run) -> Iterator[tuple[int, Cost]]:
    """Score each series of single metrics by trees trained on the folds that its group is not in.

    Results lie in `out`, in a directory for each pack, as `evaluate_pack` writes them.
    """
    lessons = read_lessons(packs, seed=run.seed)
    groups = sorted({lesson.group for lesson in lessons})
    fold_of = {group: index % folds for index, group in enumerate(groups)}
    for fold in range(folds):
        taught = [lesson for lesson in lessons if fold_of[lesson.group] != fold]
        trees = train_all(taught, seed=run.seed)
        for directory in packs:
            held_out = {each.id for each in read_pack(directory) if fold_of.get(group_of(each)) == fold}
            part = replace(run, only=frozenset(held_out))
            detector = MetricEnsemble(trees=trees.__getitem__)
            for cost in evaluate_pack(detector, directory, out / directory.name, part):
                yield fold, cost


def group_of(series: PackSeries) -> str:
    """What must not be on both sides of a split: the series' group, or itself where groups are only kinds.

    A pack whose group names end in the spacing, such as `kpi-1min`, groups by spacing alone.
    """
    return series.id if series.group.endswith("min") else series.group


def features_of(batch: Batch, trained: int) -> Floats32:
    """Features of all rows of a single series, scaled by its first `trained` rows; shape (n_points,
    TAUGHT).
    """
    level, scale = usual(batch.learnable()[:, 0, :trained])
    features, _ = stream_features(batch, level, scale, np.zeros((1, STATE), np.float32))
    return np.asarray(features[0, :, :TAUGHT])


def event_weights(labels: Bools) -> Floats:
    """For each row one over the length of the run of anomalous rows that it is in; 0 outside."""
    edges = np.diff(np.concatenate(([0], labels.astype(np.int8), [0])))
    weights = np.zeros(len(labels))
    for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        weights[start:stop] = 1.0 / (stop - start)
    return weights


def anomalous_share(rate: float) -> float:
    """The weight of the anomalous rows of a series of which `rate` are anomalous."""
    return float(min(0.5, ANOMALOUS_SHARE * (max(rate, 1e-6) / USUAL_RATE) ** 0.3))


def train(lessons: Sequence[Lesson], *, seed: int, rounds: int = 120) -> Trees:
    """Trees that tell anomalous rows from ordinary ones.

    Raises
    ------
    InvalidParameter
        If no row is anomalous.
    """
    anomalous = np.concatenate([lesson.anomalous for lesson in lessons])
    if not anomalous.any():
        raise InvalidParameter("labels", 0, "at least one anomalous row")
    weights = np.concatenate([lesson.weights for lesson in lessons])
    classifier = import_module("sklearn.ensemble").HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=60,
        l2_regularization=5.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )
    classifier.fit(
        np.concatenate([lesson.rows for lesson in lessons]),
        anomalous,
        sample_weight=weights * (len(weights) / weights.sum()),
    )
    return pack_trees(list(_nodes(classifier)), float(classifier._baseline_prediction.item()))


def _nodes(classifier: Any) -> Iterator[Arrays]:
    """The nodes of each tree, which scikit-learn keeps in private."""
    for (predictor,) in classifier._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        yield {
            "feature": np.where(leaf, -1, nodes["feature_idx"]),
            "bound": np.where(leaf, nodes["value"], nodes["num_threshold"]),
            "left": nodes["left"],
            "right": nodes["right"],
        }
