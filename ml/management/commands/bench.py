"""`bench ml` measures models on one core; every other subject is measured as the rules' own command
does.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from ml.bench.scoring import measure_default, measure_network
from ml.detectors.registry import detector
from rules.management.commands.bench import Command as RulesBench


class Command(RulesBench):
    """`bench ml [--series N]`, and `bench rules`, `bench ingest`."""

    subjects = (*RulesBench.subjects, "ml")

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--detector", default="auto", help="of `ml`: the detector measured in full")
        parser.add_argument("--series", type=int, action="append", help="of `ml`: series a tick; repeatable")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure models, or hand on."""
        if options["subject"] != "ml":
            super().handle(*args, **options)
            return
        sizes = tuple(options["series"] or (1_000, 10_000, 100_000))
        for rates in (
            measure_default(detector(options["detector"]), sizes),
            measure_network((1, 10, *sizes[:2])),
        ):
            for rate in rates:
                text = (
                    json.dumps(asdict(rate))
                    if options["json"]
                    else f"{rate.what}: {rate.value:,.4g} {rate.unit}"
                )
                self.stdout.write(text)
