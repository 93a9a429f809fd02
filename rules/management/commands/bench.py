"""Measures what the platform costs, on servers of its own. Figures are CPU seconds of every process
involved; with `--peer prometheus` a real Prometheus does the same work beside it, if it is installed.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any, Final

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.utils.module_loading import import_string

from alertsite.core.errors import PlatformError
from alertsite.runtime.sandbox import join
from cloud.bench.inventory import measure_inventory
from rules.bench.alerts import RATE, STORM, measure_delivery, measure_intake, measure_standing
from rules.bench.ingest import Ingested, measure_ingestion
from rules.bench.passes import Bench, Measured
from rules.bench.peer import PeerMeasured, measure_peer, peer_is_installed
from rules.bench.workloads import WORKLOADS, workload

ELSEWHERE: Final = {"healing": "healing.bench.runs.measure_all"}
"""Subjects of apps above this one, known here by name: each gives pairs of figures and words."""


class Command(BaseCommand):
    """`rules [--work W1] [--rules N] [--peer prometheus]`, `ingest`, `alerts`, `inventory`, `healing`;
    `--passes N`, `--json`.
    """

    help = __doc__
    subjects: tuple[str, ...] = ("rules", "ingest", "alerts", "inventory", *ELSEWHERE)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What is measured, and how."""
        parser.add_argument("subject", choices=self.subjects)
        parser.add_argument("--work", action="append", help=f"one of {', '.join(WORKLOADS)}; all by default")
        parser.add_argument("--rules", type=int, help="another number of rules, to see how the cost grows")
        parser.add_argument("--passes", type=int, default=7, help="measured passes; the median is printed")
        parser.add_argument("--peer", choices=["prometheus"], help="what to compare `rules` with")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Measure the subject on servers of the bench's own."""
        if settings.SANDBOX_NAME:
            self._servers = join(settings.SANDBOX_NAME)
        call_command("migrate", interactive=False, verbosity=0)
        measure = {"ingest": self._ingest, "inventory": self._inventory, "alerts": self._alerts}
        try:
            if options["subject"] in ELSEWHERE:
                for figures, words in import_string(ELSEWHERE[options["subject"]])():
                    self._show(figures, words, as_json=options["json"])
            else:
                measure.get(options["subject"], self._rules)(options)
        except PlatformError as error:
            raise CommandError(str(error)) from None

    def _rules(self, options: dict[str, Any]) -> None:
        if options["peer"] and not peer_is_installed():
            self.stderr.write("prometheus is not installed: measuring without it")
            options["peer"] = None
        for name in options["work"] or WORKLOADS:
            work = workload(name)
            if options["rules"]:
                work = work.scaled(options["rules"])
            measured = Bench(work).measure(options["passes"])
            peer = measure_peer(work, options["passes"]) if options["peer"] else None
            self._print(measured, peer, as_json=options["json"])

    def _ingest(self, options: dict[str, Any]) -> None:
        self._print_ingestion(measure_ingestion(options["passes"]), as_json=options["json"])

    def _inventory(self, options: dict[str, Any]) -> None:
        for each in measure_inventory(10_000):
            self._show(
                each,
                f"inventory, {each.what}: {each.resources:,} seen, {each.written:,} written in "
                f"{each.seconds:.1f} s, {each.grown_mb:.0f} MB more, {each.peak_mb:.0f} MB at its highest",
                as_json=options["json"],
            )

    def _alerts(self, options: dict[str, Any]) -> None:
        taken = measure_intake(10_000)
        self._show(
            taken,
            f"intake: {taken.alerts_per_cpu_s:,.0f} new alerts a CPU second in batches of 64 (web "
            f"{taken.web_cpu_s:.2f} s, postgres {taken.postgres_cpu_s:.2f}, redis {taken.redis_cpu_s:.2f})",
            as_json=options["json"],
        )
        for storm in (0, STORM):
            way = measure_delivery(20, storm=storm)
            beside = f" beside a storm of {storm:,} in another tenant" if storm else ""
            self._show(
                way,
                f"delivery at {RATE}/s{beside}: p50 {way.p50_ms:.0f} ms, p99 {way.p99_ms:.0f} ms",
                as_json=options["json"],
            )
        for active in (1_000, 10_000, 100_000):
            cost = measure_standing(active)
            self._show(
                cost,
                f"{active:,} active: page {cost.page_ms:.0f} ms, filtered {cost.filtered_page_ms:.0f} ms, "
                f"acknowledge {min(active, 10_000):,} in {cost.acknowledge_10k_s:.2f} s, silence "
                f"{cost.silence_s * 1000:.0f} ms, web {cost.web_mb:.0f} MB, "
                f"{cost.web_private_mb:.0f} of them its own",
                as_json=options["json"],
            )

    def _show(self, measured: Any, text: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(asdict(measured)) if as_json else text)

    def _print_ingestion(self, measured: Ingested, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(measured)))
            return
        self.stdout.write(
            f"ingest: {measured.samples} samples in {measured.requests} requests: "
            f"{measured.samples_per_cpu_s:,.0f} samples a CPU second (web {measured.web_cpu_s:.2f} s, redis "
            f"{measured.redis_cpu_s:.2f}, postgres {measured.postgres_cpu_s:.2f}), "
            f"{measured.samples_per_wall_s:,.0f} a second of the clock"
        )

    def _print(self, measured: Measured, peer: PeerMeasured | None, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(measured) | (asdict(peer) if peer else {})))
            return
        self.stdout.write(
            f"{measured.work}: {measured.rules} rules, {measured.series} series: "
            f"{measured.cpu_s_per_pass * 1000:.1f} ms a pass ({measured.us_per_rule:.1f} µs a rule; worker "
            f"{measured.worker_cpu_s * 1000:.1f}, redis {measured.redis_cpu_s * 1000:.1f}, postgres "
            f"{measured.postgres_cpu_s * 1000:.1f}), engine {measured.engine_cpu_s_per_pass * 1000:.1f} ms, "
            f"p99 lateness {measured.p99_lateness_s:.2f} s, {measured.rss_mb:.0f} MB, "
            f"{measured.bytes_per_rule:.0f} bytes a rule"
        )
        if peer:
            self.stdout.write(
                f"{measured.work}: prometheus {peer.peer_cpu_s_per_pass * 1000:.1f} ms a pass, "
                f"{peer.peer_cpu_s_per_pass / measured.cpu_s_per_pass:.1f} times ours "
                f"({peer.peer_cpu_s_per_pass / measured.engine_cpu_s_per_pass:.1f} times our engine), "
                f"{peer.peer_rss_mb:.0f} MB"
            )
