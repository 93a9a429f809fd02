"""Releases: `release check --since v1.2.0` proves that the workers of that release can go on while this one's
migrations are applied; git says which migrations it had. Without git, `release snapshot 1.2.0` keeps a
release's schema for it.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from alertsite.core.errors import PlatformError
from alertsite.runtime.expansion import obstacles
from alertsite.runtime.schema import SCHEMAS, schema_of_migrations, store, stored, unjudged


class Command(BaseCommand):
    """`release snapshot` and `release check`."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`snapshot RELEASE` or `check --since RELEASE`."""
        parser.add_argument("--directory", type=Path, default=SCHEMAS, help="where schemas are kept")
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("snapshot", help="store the schema of this code").add_argument("release")
        checking = verbs.add_parser("check", help="1 when older workers would trip over the new schema")
        checking.add_argument("--since", required=True, metavar="RELEASE")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Store the schema, or say what older workers would trip over."""
        directory: Path = options["directory"]
        if options["verb"] == "snapshot":
            self.stdout.write(str(store(schema_of_migrations(options["release"]), directory)))
            return
        try:
            before = stored(options["since"], directory)
        except PlatformError as error:
            raise CommandError(str(error)) from None
        for line in unjudged(before):
            self.stdout.write(line)
        found = obstacles(before, schema_of_migrations("this"))
        for line in found:
            self.stderr.write(line)
        if found:
            raise CommandError(f"{len(found)} changes that workers of release {before.release} trip over")
        self.stdout.write(f"workers of release {before.release} can go on")
