"""Rules from the shell: import, export, backtest, test. `rules VERB --help` tells what each takes."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from django.core.management import BaseCommand, CommandError

from alertsite.core.clock import SystemClock, from_datetime, to_datetime
from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import PlatformError
from alertsite.core.labels import format_labels
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.evaluation.plots import draw
from rules.language.export import FORMATS
from rules.language.rulefile import parse_rule_file
from rules.models import RuleGroup
from rules.services.authoring import Author
from rules.services.backtesting import Backtest, Trial, backtest
from rules.services.exporting import export_rules
from rules.services.importing import ImportReport, Outcome, RuleFile, draft_from_file, import_files
from rules.services.ruletesting import failures_of_file

SUFFIXES: Final = frozenset({".yml", ".yaml", ".json"})


class Command(BaseCommand):
    """`rules import`, `rules export`, `rules backtest`, `rules test`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The verbs and what each takes."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        taking = verbs.add_parser("import", help="take Prometheus rule files; 1 when anything was refused")
        taking.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR")
        taking.add_argument("--tenant", required=True)
        giving = verbs.add_parser("export", help="write every rule of a tenant")
        giving.add_argument("--tenant", required=True)
        giving.add_argument("--format", choices=list(FORMATS), default="prometheus")
        testing = verbs.add_parser("test", help="run unit tests of rules; 1 when any fails")
        testing.add_argument("paths", nargs="+", type=Path, metavar="FILE")
        trying = verbs.add_parser("backtest", help="what the rules of a file would have done over history")
        trying.add_argument("path", type=Path, metavar="FILE")
        trying.add_argument("--tenant", required=True)
        trying.add_argument("--start", required=True, help="2026-03-01T12:00:00Z")
        trying.add_argument("--end", required=True)
        trying.add_argument("--step", default="0", help="between ticks; the group's interval by default")
        trying.add_argument("--plots", type=Path, metavar="DIR", help="write a plot of each rule, as SVG")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Do what the verb says."""
        verbs = {
            "import": self._import,
            "export": self._export,
            "backtest": self._backtest,
            "test": self._test,
        }
        try:
            verbs[options["verb"]](options)
        except (PlatformError, OSError) as error:
            raise CommandError(str(error)) from None

    def _import(self, options: dict[str, Any]) -> None:
        tenant = _tenant(options["tenant"])
        files = [RuleFile(str(path), path.read_text(encoding="utf-8")) for path in _files(options["paths"])]
        author = Author("command line", to_datetime(SystemClock().now_ms()))
        with tenant_scope(tenant.pk):
            report = import_files(tenant.pk, files, author)
        for line in _lines(report):
            self.stdout.write(line)
        if report.refused:
            raise CommandError(f"{len(report.refused)} refused")

    def _export(self, options: dict[str, Any]) -> None:
        tenant = _tenant(options["tenant"])
        with tenant_scope(tenant.pk):
            self.stdout.write(export_rules(tenant.pk, options["format"]), ending="")

    def _test(self, options: dict[str, Any]) -> None:
        failed = 0
        for path in options["paths"]:
            self.stdout.write(f"Unit Testing:  {path}")
            failures = failures_of_file(path)
            failed += bool(failures)
            self.stdout.write("  FAILED:" if failures else "  SUCCESS")
            for failure in failures:
                self.stdout.write(f"    {failure}")
        if failed:
            raise CommandError(f"{failed} of {len(options['paths'])} files failed")

    def _backtest(self, options: dict[str, Any]) -> None:
        tenant = _tenant(options["tenant"])
        start_ms, end_ms = _moment_ms(options["start"]), _moment_ms(options["end"])
        step_ms, now_ms = parse_duration_ms(options["step"]), SystemClock().now_ms()
        for group in parse_rule_file(options["path"].read_text(encoding="utf-8")):
            stand_in = RuleGroup(tenant=tenant, name=group.name, query_offset_s=group.query_offset_ms // 1000)
            for position, rule in enumerate(group.rules):
                if not rule.alert:
                    continue
                draft = draft_from_file(rule, group, position)
                trial = Trial(start_ms, end_ms, step_ms or group.interval_ms, draft=draft, group=stand_in)
                with tenant_scope(tenant.pk):
                    done = backtest(tenant.pk, trial, now_ms=now_ms)
                for line in _told(rule.name, done):
                    self.stdout.write(line)
                if options["plots"]:
                    (options["plots"] / f"{quote(rule.name, safe='')}.svg").write_text(
                        draw(done.plot), encoding="utf-8"
                    )


def _moment_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time like 2026-03-01T12:00:00Z") from None
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _told(name: str, done: Backtest) -> Iterator[str]:
    """Every change of state, a line each, then the sums."""
    found = done.verdict.replay
    for one in found.transitions:
        change = one.told.change
        yield (
            f"{to_datetime(one.at_ms):%Y-%m-%dT%H:%M:%SZ} {format_labels(one.told.labels)} "
            f"{change.previous} -> {change.state} ({change.reason})"
        )
    yield (
        f"{name}: {found.ticks} ticks, {len(found.transitions)} transitions, {found.notifications} "
        f"notifications, {found.alert_minutes:g} alert minutes, {found.samples_read} samples read"
    )


def _tenant(slug: str) -> Tenant:
    with platform_scope():
        tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise CommandError(f"there is no tenant {slug!r}")
    return tenant


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and the rule files below the directories named, in order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
        else:
            yield path


def _lines(report: ImportReport) -> Iterator[str]:
    """A line for each rule that is not simply taken, and the sums."""
    for rule in report.rules:
        if rule.outcome is not Outcome.TAKEN:
            where = f"{rule.file}:{rule.line}" + (f" {rule.group}/{rule.rule}" if rule.rule else "")
            yield f"{rule.outcome}: {where}: {'; '.join(rule.notes)}"
    counts = Counter(rule.outcome for rule in report.rules)
    yield ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
