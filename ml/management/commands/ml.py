"""Models from the shell: `ml evaluate` scores a pack of labelled series as a detector would have live,
`ml train` makes the trees that the ensemble ships with, `ml validate` measures them on groups that they
did not see, `ml incidents` does both for probabilities of incidents.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from alertsite.core.errors import PlatformError
from ml.detectors.metric_ensemble import ARTEFACT
from ml.detectors.registry import DETECTORS, detector
from ml.forecasting.registry import FORECASTERS, forecaster
from ml.learning.boosting import as_artefact, cross_validate, read_lessons, train_all
from ml.learning.evaluation import Run, evaluate_pack
from ml.learning.forecasting import evaluate_forecasts, summary
from ml.learning.incidents import NAME as INCIDENTS
from ml.learning.incidents import evaluate_incidents, validate_incidents


class Command(BaseCommand):
    """`ml evaluate --pack DIR --detector NAME --out DIR`, `ml train`, `ml validate`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The verbs and what each takes."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        evaluate = verbs.add_parser("evaluate", help="write the scores of each series of a pack")
        evaluate.add_argument("--pack", type=Path, required=True, help="directory with a manifest.json")
        asked = evaluate.add_mutually_exclusive_group()
        asked.add_argument("--detector", default="auto", help=f"one of {', '.join(DETECTORS)}, {INCIDENTS}")
        asked.add_argument(
            "--forecaster", help=f"instead forecast days of hourly means by one of {', '.join(FORECASTERS)}"
        )
        evaluate.add_argument("--out", type=Path, required=True, help="directory for one CSV a series")
        evaluate.add_argument("--series", action="append", default=[], help="only this series; repeatable")
        evaluate.add_argument("--seed", type=int, default=0, help="of all that is drawn at random")
        train = verbs.add_parser("train", help="train the trees of the ensemble for single metrics")
        train.add_argument("--pack", type=Path, required=True, action="append", help="labelled; repeatable")
        train.add_argument("--out", type=Path, required=True, help="directory for the artefacts")
        train.add_argument("--seed", type=int, default=0, help="of all that is drawn at random")
        validate = verbs.add_parser(
            "validate", help="score labelled packs by trees that saw no series of the group"
        )
        validate.add_argument(
            "--pack", type=Path, required=True, action="append", help="labelled; repeatable"
        )
        validate.add_argument("--out", type=Path, required=True, help="directory; one beneath for each pack")
        validate.add_argument("--folds", type=int, default=4, help="parts that the groups are dealt into")
        validate.add_argument("--seed", type=int, default=0, help="of all that is drawn at random")

        incidents = verbs.add_parser(
            "incidents", help="tell incidents of labelled series by what others taught, and write the prior"
        )
        incidents.add_argument("--pack", type=Path, required=True, help="labelled")
        incidents.add_argument("--out", type=Path, required=True, help="directory for results and the prior")
        incidents.add_argument(
            "--folds", type=int, default=4, help="parts that related series are dealt into"
        )
        incidents.add_argument("--seed", type=int, default=0, help="of all that is drawn at random")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Do what the verb says."""
        verbs = {
            "evaluate": self._evaluate,
            "train": self._train,
            "validate": self._validate,
            "incidents": self._incidents,
        }
        try:
            verbs[options["verb"]](options)
        except PlatformError as error:
            raise CommandError(str(error)) from None

    def _train(self, options: dict[str, Any]) -> None:
        lessons = read_lessons(options["pack"], seed=options["seed"])
        for resolution, trees in train_all(lessons, seed=options["seed"]).items():
            path = options["out"] / ARTEFACT.format(resolution)
            path.write_bytes(as_artefact(trees, lessons))
            self.stdout.write(f"{len(lessons)} series: {path.stat().st_size} bytes in {path}")

    def _validate(self, options: dict[str, Any]) -> None:
        run = Run(options["seed"], time.process_time)
        for fold, cost in cross_validate(options["pack"], options["out"], options["folds"], run):
            self.stdout.write(f"fold {fold}: {cost.series}: {cost.alerts} alerts")

    def _incidents(self, options: dict[str, Any]) -> None:
        run = Run(options["seed"], time.process_time)
        options["out"].mkdir(parents=True, exist_ok=True)
        for one in validate_incidents(options["pack"], options["out"], run, options["folds"]):
            self.stdout.write(
                f"{one.horizon_h} h: {one.moments} moments, Brier skill {one.skill:+.3f}, "
                f"calibration error {one.calibration_error:.3f}"
            )

    def _tell_incidents(self, options: dict[str, Any], run: Run) -> None:
        for series, rows in evaluate_incidents(options["pack"], options["out"], run):
            self.stdout.write(f"{series}: {rows} rows")

    def _forecast(self, options: dict[str, Any], run: Run) -> None:
        told = []
        pack, out = options["pack"], options["out"]
        for one in evaluate_forecasts(forecaster(options["forecaster"]), pack, out, run):
            told.append(asdict(one))
            self.stdout.write(
                f"{one.series}: {one.forecasts} forecasts, MASE {one.mase:.3f}, "
                f"80 % interval holds {one.coverage[0]:.1%}, {one.cpu_s:.1f} s"
            )
        (out / "quality.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
        self.stdout.write(f"{len(told)} series: {summary(told)}; results in {out}")

    def _evaluate(self, options: dict[str, Any]) -> None:
        run = Run(options["seed"], time.process_time, frozenset(options["series"]))
        if options["forecaster"]:
            self._forecast(options, run)
            return
        if options["detector"] == INCIDENTS:
            self._tell_incidents(options, run)
            return
        costs = []
        for cost in evaluate_pack(detector(options["detector"]), options["pack"], options["out"], run):
            costs.append(asdict(cost))
            self.stdout.write(
                f"{cost.series}: {cost.rows} rows, {cost.alerts} alerts, learned in {cost.learn_s:.2f} s, "
                f"scored at {cost.score_us_per_row:.2f} µs a row"
            )
        rows = sum(each["rows"] for each in costs)
        (options["out"] / "costs.json").write_text(json.dumps(costs, indent=1), encoding="utf-8")
        self.stdout.write(f"{len(costs)} series, {rows} rows: results in {options['out']}")
