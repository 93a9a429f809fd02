"""Settings of the tests and of the type checker: the same, with servers and secrets of their own.

Where `DATABASE_URL` and `REDIS_URL` are not given they point into a directory named after this run of the
tests; `tests/conftest.py` starts the servers there when the first test asks for one.
"""

from __future__ import annotations

import os

from alertsite.runtime.sandbox import sandbox_urls
from alertsite.settings.env import Environment, process_variables

env = Environment(process_variables())

SANDBOX_NAME = env.text("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
_worker = env.text("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
_urls = sandbox_urls(SANDBOX_NAME, redis_database=int(_worker))

os.environ.setdefault("SECRET_KEY", "2f1b6c9de07a4358" * 3)  # noqa: TID251 (before base reads them)
os.environ.setdefault("FIELD_ENCRYPTION_KEYS", "q8mWc1Zt4Yd0RkV7uHx2bNs5LgJf9AeP3oTiUy6CwKQ=")  # noqa: TID251
os.environ.setdefault("DATABASE_URL", _urls.database)  # noqa: TID251
os.environ.setdefault("REDIS_URL", _urls.redis)  # noqa: TID251

from alertsite.settings.base import *  # noqa: E402, F403 (Django reads one module)

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed: nothing to protect here
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
