"""Brings a database to where the processes can start: migrated, with an operator and the demo tenant.

Run again it changes nothing that is there. The password of a new operator is written to the report, once.
"""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, call_command, get_commands

OPERATOR = "operator"


class Command(BaseCommand):
    """Migrate, create the operator, load the demo tenant."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--report", type=Path, required=True, help="file for the new operator's password")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        call_command("migrate", interactive=False, stdout=self.stdout)
        password = create_operator()
        if password:
            options["report"].write_text(
                json.dumps({"operator": OPERATOR, "password": password}), encoding="utf-8"
            )
        if "demo" in get_commands():
            call_command("demo", stdout=self.stdout)


def create_operator() -> str:
    """Create a superuser unless there is one; return its random password, or the empty string."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return ""
    password = secrets.token_urlsafe(18)
    users.create_superuser(username=OPERATOR, email=f"{OPERATOR}@localhost", password=password)
    return password
