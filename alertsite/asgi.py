"""The ASGI application that web processes serve."""

from __future__ import annotations

import os

import django
from django.conf import settings

from alertsite.web.asgi import ThreadedHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alertsite.settings.base")  # noqa: TID251 (Django's own seam)

django.setup()
application = ThreadedHandler(settings.WEB_THREADS)
