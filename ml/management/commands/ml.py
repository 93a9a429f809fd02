"""Models from the shell: `ml evaluate` scores a pack of labelled series as a detector would have live."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from alertsite.core.errors import PlatformError
from ml.detectors.registry import DETECTORS, detector
from ml.learning.evaluation import Run, evaluate_pack


class Command(BaseCommand):
    """`ml evaluate --pack DIR --detector NAME --out DIR`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        evaluate = verbs.add_parser("evaluate", help="write the scores of each series of a pack")
        evaluate.add_argument("--pack", type=Path, required=True, help="directory with a manifest.json")
        evaluate.add_argument("--detector", default="auto", help=f"one of {', '.join(DETECTORS)}")
        evaluate.add_argument("--out", type=Path, required=True, help="directory for one CSV a series")
        evaluate.add_argument("--series", action="append", default=[], help="only this series; repeatable")
        evaluate.add_argument("--seed", type=int, default=0, help="of all that is drawn at random")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        run = Run(options["seed"], time.process_time, frozenset(options["series"]))
        costs = []
        try:
            for cost in evaluate_pack(detector(options["detector"]), options["pack"], options["out"], run):
                costs.append(asdict(cost))
                self.stdout.write(
                    f"{cost.series}: {cost.rows} rows, {cost.alerts} alerts, learned in "
                    f"{cost.learn_s:.2f} s, scored at {cost.score_us_per_row:.2f} µs a row"
                )
        except PlatformError as error:
            raise CommandError(str(error)) from None
        rows = sum(each["rows"] for each in costs)
        (options["out"] / "costs.json").write_text(json.dumps(costs, indent=1), encoding="utf-8")
        self.stdout.write(f"{len(costs)} series, {rows} rows: results in {options['out']}")
