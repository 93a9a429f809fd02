"""The WSGI application, for servers that speak nothing newer."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alertsite.settings.base")  # noqa: TID251 (Django's own seam)

application = get_wsgi_application()
