"""Starting Django in a Python process of somebody's own, for the doors.

In: addresses of servers that the caller names. Out: Django, set up, over those, over those of the
environment, or over those that `make up` started. The addresses count when the platform has not been started
in this process yet.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import django
from django.apps import apps

from alertsite.runtime.state import embedded_variables
from alertsite.settings.env import assume, process_variables


def start_platform(named: Mapping[str, str]) -> None:
    """Set Django up with these variables, once."""
    if apps.ready:
        return
    assume(embedded_variables(process_variables()))
    assume({name: value for name, value in named.items() if value})
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alertsite.settings.base")  # noqa: TID251 (Django's own seam)
    django.setup()
