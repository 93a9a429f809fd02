"""Restore the backup in DIR into a scratch database and check the ledger, the outbox and the audit chains."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from rules.services.drilling import drill, publish


class Command(BaseCommand):
    """`restore_drill DIR`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Restore beside, check, and say what was found."""
        try:
            done = drill(options["directory"], SystemClock())
        except PlatformError as error:
            raise CommandError(str(error)) from None
        for finding in done.findings:
            self.stdout.write(
                f"{'FAILED' if finding.fault else 'ok':6} {finding.check}  {finding.fault}".rstrip()
            )
        publish(done, SystemClock())
        if not done.passed:
            raise CommandError("the backup is not what the platform promises")
        self.stdout.write(f"restored in {done.seconds:.1f} s")
