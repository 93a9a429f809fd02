"""Timeline tests from the shell: from series to messages in one file. `timeline test FILE… [--tenant T]`."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.services.timelining import differences_of_file


class Command(BaseCommand):
    """`timeline test`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        testing = verbs.add_parser("test", help="play timelines; 1 when any goes otherwise than expected")
        testing.add_argument("paths", nargs="+", type=Path, metavar="FILE")
        testing.add_argument("--tenant", help="whose rules and routing serve for what a file does not say")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Play each file; 1 when any differs."""
        tenant_id = self._tenant(options["tenant"]) if options["tenant"] else None
        failed = 0
        with tenant_scope(tenant_id) if tenant_id else nullcontext():
            for path in options["paths"]:
                differences = differences_of_file(path, tenant_id)
                failed += bool(differences)
                self.stdout.write(f"{path}: {'FAILED' if differences else 'SUCCESS'}")
                for difference in differences:
                    self.stdout.write(f"    {difference}")
        if failed:
            raise CommandError(f"{failed} of {len(options['paths'])} files failed")

    def _tenant(self, slug: str) -> Any:
        with platform_scope():
            tenant_id = Tenant.objects.filter(slug=slug).values_list("pk", flat=True).first()
        if tenant_id is None:
            raise CommandError(f"there is no tenant {slug!r}")
        return tenant_id
