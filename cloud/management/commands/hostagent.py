"""`manage.py hostagent`: lets the platform restart services of this host, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloud.hostagent.agent import Agent
from cloud.hostagent.server import AgentServer
from cloud.hostagent.supervisors import SUPERVISORS, run

SHORTEST_TOKEN = 24


class Command(BaseCommand):
    """Serves until it is stopped."""

    help = "Restart services of this host for accounts of the provider `host`. Put TLS in front of it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Which services, whose supervisor, where to listen."""
        parser.add_argument("services", nargs="+", help="Names that may be restarted.")
        parser.add_argument("--token-file", type=Path, required=True, help="Holds what requests must bear.")
        parser.add_argument("--supervisor", choices=sorted(SUPERVISORS), default="systemd")
        parser.add_argument("--address", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8790)

    def handle(self, **options: Any) -> None:
        """Answer until stopped."""
        token = options["token_file"].read_text(encoding="utf-8").strip()
        if len(token) < SHORTEST_TOKEN:
            raise CommandError(f"the token has {len(token)} characters, accepts {SHORTEST_TOKEN} and more")
        agent = Agent(SUPERVISORS[options["supervisor"]](run), options["services"], token)
        with AgentServer(agent, options["address"], options["port"]) as server:
            self.stdout.write(f"answers at http://{options['address']}:{server.server_port}")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return
