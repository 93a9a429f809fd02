"""`manage.py sandbox`: providers to repair on, without an account of any."""

from __future__ import annotations

import importlib
import json
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """Serves until it is stopped."""

    help = "Simulate AWS, Azure, Docker, Google Cloud and Kubernetes on loopback ports."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Which providers, and how to tell of them."""
        parser.add_argument("providers", nargs="*", help="Which ones; all by default.")
        parser.add_argument(
            "--json", action="store_true", help="One JSON object: an account's body for each."
        )
        parser.add_argument("--once", action="store_true", help="Stop as soon as all have answered.")

    def handle(self, **options: Any) -> None:
        """Run the simulators until stopped."""
        try:
            sandbox: Any = importlib.import_module("cloud.simulators.sandbox")
        except ModuleNotFoundError as error:
            raise CommandError(f"install the extras [aws,sandbox]: {error.name} is missing") from None
        wanted = tuple(options["providers"]) or tuple(sandbox.SIMULATED)
        unknown = sorted(set(wanted) - set(sandbox.SIMULATED))
        if unknown:
            raise CommandError(f"provider is {unknown[0]!r}, accepts {', '.join(sandbox.SIMULATED)}")
        with sandbox.running(wanted) as simulated:
            self._print({name: one.account(name) for name, one in simulated.items()}, options["json"])
            if not options["once"]:
                self._wait()

    def _print(self, accounts: dict[str, dict[str, Any]], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(accounts))
        else:
            for name, account in accounts.items():
                self.stdout.write(f"{name}\n  POST /api/cloud-accounts/ {json.dumps(account)}")
            self.stdout.write("Faults: POST /_control/faults at a provider's address. Ctrl-C stops.")
        self.stdout.flush()

    def _wait(self) -> None:
        try:
            Event().wait()
        except KeyboardInterrupt:
            return
