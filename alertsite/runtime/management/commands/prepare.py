"""Brings a database to where the processes can start: migrated, with an operator and the demo tenant.

Run again it changes nothing that is there. Passwords made here are written to the report alone.
"""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, call_command

from alertsite.runtime.names import CHECK_USER, DEMO_TENANT, OPERATOR
from alertsite.tenancy.models import Membership, Tenant, User
from alertsite.tenancy.scope import platform_scope


class Command(BaseCommand):
    """Migrate, create the operator, load the demo tenant."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--report", type=Path, required=True, help="file for passwords made here")
        parser.add_argument("--check-user", action="store_true", help="give the check's user a new password")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Migrate, make the operator and the demo, and report the passwords that are new."""
        call_command("migrate", interactive=False, stdout=self.stdout)
        made = {OPERATOR: create_operator()}
        call_command("demo", stdout=self.stdout)
        if options["check_user"]:
            made[CHECK_USER] = renew_check_user()
        options["report"].write_text(
            json.dumps({name: password for name, password in made.items() if password})
        )


def renew_check_user() -> str:
    """Let the check's user into the demo tenant with a new random password, which is returned."""
    password = secrets.token_urlsafe(18)
    user, _ = User.objects.get_or_create(username=CHECK_USER)
    user.set_password(password)
    user.save()
    with platform_scope():
        Membership.across_tenants.get_or_create(
            tenant=Tenant.objects.get(slug=DEMO_TENANT), user=user, defaults={"role": Membership.Role.MEMBER}
        )
    return password


def create_operator() -> str:
    """Create a superuser unless there is one; return its random password, or the empty string."""
    if User.objects.filter(is_superuser=True).exists():
        return ""
    password = secrets.token_urlsafe(18)
    User.objects.create_superuser(username=OPERATOR, email=f"{OPERATOR}@localhost", password=password)
    return password
