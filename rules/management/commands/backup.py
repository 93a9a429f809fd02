"""Dump the database into DIR, with a manifest of checksums and counts."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from rules.services.backing import back_up


class Command(BaseCommand):
    """`backup DIR`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Write the backup; say how large it is."""
        try:
            made = back_up(options["directory"], now=to_datetime(SystemClock().now_ms()))
        except PlatformError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{sum(made.rows.values())} rows of {len(made.rows)} tables, {made.size} bytes")
