"""Rules from the shell: `rules import FILE|DIR… --tenant SLUG`, `rules export --tenant SLUG [--format F]`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from django.core.management import BaseCommand, CommandError

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.language.export import FORMATS
from rules.services.authoring import Author
from rules.services.exporting import export_rules
from rules.services.importing import ImportReport, Outcome, RuleFile, import_files

SUFFIXES: Final = frozenset({".yml", ".yaml", ".json"})


class Command(BaseCommand):
    """`rules import FILE|DIR… --tenant SLUG`, `rules export --tenant SLUG [--format F]`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        taking = verbs.add_parser("import", help="take Prometheus rule files; 1 when anything was refused")
        taking.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR")
        taking.add_argument("--tenant", required=True)
        giving = verbs.add_parser("export", help="write every rule of a tenant")
        giving.add_argument("--tenant", required=True)
        giving.add_argument("--format", choices=list(FORMATS), default="prometheus")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        verbs = {"import": self._import, "export": self._export}
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
