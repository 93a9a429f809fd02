"""Checks and tests playbooks without a database: `playbook check FILE…`, `playbook test FILE…`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from alertsite.core.errors import PlatformError
from healing.execution.playbooktests import run_tests
from healing.playbooks.planner import compile_playbook


class Command(BaseCommand):
    """`check` compiles playbooks; `test` runs their tests."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check", "test"])
        parser.add_argument("file", nargs="+", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        look = self._check if options["what"] == "check" else self._test
        failed = [path for path in options["file"] if not self._tried(look, path)]
        if failed:
            raise CommandError(f"{len(failed)} of {len(options['file'])} files failed")

    def _tried(self, look: Any, path: Path) -> bool:
        try:
            return bool(look(path))
        except OSError as error:
            raise CommandError(str(error)) from None
        except PlatformError as error:
            self.stdout.write(f"{path}: {error}")
            return False

    def _check(self, path: Path) -> bool:
        plan = compile_playbook(path.read_text(encoding="utf-8"))
        self.stdout.write(f"{path}: {plan.playbook.playbook}, {len(plan.nodes)} steps")
        for node in plan.nodes:
            self.stdout.write(f"  {node.key} {node.kind}")
        return True

    def _test(self, path: Path) -> bool:
        def beside(name: str) -> str:
            return (path.parent / name).read_text(encoding="utf-8")

        results = run_tests(path.read_text(encoding="utf-8"), beside)
        for result in results:
            self.stdout.write(f"{'ok' if not result.faults else 'FAILED'}  {result.name}")
            for fault in result.faults:
                self.stdout.write(f"        {fault}")
        return all(not result.faults for result in results)
