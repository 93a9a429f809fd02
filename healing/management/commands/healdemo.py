"""`manage.py healdemo`: a service of the sandbox that breaks, and is healed by a playbook."""

from __future__ import annotations

import importlib
import time
from datetime import datetime
from typing import Any, Final

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import tenant_scope
from healing.models import HealingRun, Playbook
from healing.services.demo import furnish, say
from rules.services.demo import load_demo

EVERY_S: Final = 0.5
REST_S: Final = 10.0
"""After a rehearsal the service is well for at least so long."""
ARM: Final = """\
The playbook rehearses until a person arms it, at /admin/healing/playbook/ or by
  POST /api/playbooks/{id}/arm/
A run that awaits approval is approved at /admin/healing/healingrun/ or by
  POST /api/healing-runs/ID/approve/ {{"plan_hash": "…"}}"""


class Command(BaseCommand):
    """Breaks a service of the demo tenant, and tells what becomes of it until it is healed."""

    help = __doc__
    _told: set[str]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=1800.0, help="Give up after so long.")

    def handle(self, **options: Any) -> None:
        """Furnish the demo tenant, break its service, and tell what happens."""
        try:
            sandbox: Any = importlib.import_module("cloud.simulators.sandbox")
        except ModuleNotFoundError as error:
            raise CommandError(f"install the extras [aws,docker,sandbox]: {error.name} is missing") from None
        self._told = set()
        clock = SystemClock()
        tenant = load_demo(now=to_datetime(clock.now_ms()))
        with sandbox.running(("docker",)) as simulated, tenant_scope(tenant.pk):
            docker = simulated["docker"]
            try:
                playbook = furnish(tenant, docker.account("docker"), clock)
            except PlatformError as error:
                raise CommandError(str(error)) from None
            self.stdout.write(f"{playbook.name}: {'armed' if playbook.armed else 'not armed'}")
            self.stdout.write(ARM.format(id=playbook.pk))
            self.stdout.flush()
            self._watch(playbook, docker.url, options["seconds"])

    def _watch(self, playbook: Playbook, url: str, seconds: float) -> None:
        """Say how the service is, and what runs do, until one has healed it.

        Rehearsed, it comes back by itself, long enough for the alert to end however soon the playbook is
        armed; once it is armed, the service breaks anew.
        """
        clock, ends = SystemClock(), time.monotonic() + seconds
        began, well_until = to_datetime(clock.now_ms()), 0.0
        while time.monotonic() < ends:
            calls = httpx.get(f"{url}/_control/calls").json()["calls"]
            playbook.refresh_from_db()
            resting = well_until > 0 and (not playbook.armed or time.monotonic() < well_until)
            say(playbook.tenant_id, clock, well=resting or any(call.endswith("/restart") for call in calls))
            states = self._tell(playbook, began)
            if HealingRun.State.SUCCEEDED in states:
                return
            if HealingRun.State.REHEARSED in states and not well_until:
                well_until = time.monotonic() + REST_S
            time.sleep(EVERY_S)
        raise CommandError(f"nothing healed it within {seconds:.0f} s")

    def _tell(self, playbook: Playbook, since: datetime) -> set[str]:
        """Write what is new of the runs since a moment. Their states."""
        runs = HealingRun.objects.for_tenant(playbook.tenant_id).filter(
            playbook=playbook, created_at__gte=since
        )
        lines = [f"run {run.pk}: {run.state} {run.reason}".rstrip() for run in runs.order_by("created_at")]
        for line in lines:
            if line not in self._told:
                self.stdout.write(line)
                self.stdout.flush()
        self._told.update(lines)
        return set(runs.values_list("state", flat=True))
