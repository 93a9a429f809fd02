"""Makes the demo tenant: this machine, watched by the host pack."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand

from alertsite.core.clock import SystemClock, to_datetime
from rules.services.demo import load_demo


class Command(BaseCommand):
    """Load the demo tenant. Run again it changes nothing."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        tenant = load_demo(now=to_datetime(SystemClock().now_ms()))
        self.stdout.write(f"demo tenant: {tenant.slug}")
