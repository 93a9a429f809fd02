"""Settings of the tests and of the type checker: the same, with servers and secrets of their own.

Where `DATABASE_URL` and `REDIS_URL` are not given they point into a directory named after this run of the
tests; `tests/conftest.py` starts the servers there when the first test asks for one.
"""

from __future__ import annotations

import os

from alertsite.runtime.sandbox import sandbox_urls
from alertsite.settings.env import Environment, assume, process_variables

env = Environment(process_variables())

_run = env.text("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
_worker = int(env.text("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_urls = sandbox_urls(_run, redis_database=_worker)

# Empty when servers are given: nothing is to be started then.
SANDBOX_NAME = "" if {"DATABASE_URL", "REDIS_URL"} <= process_variables().keys() else _run

assume(
    {
        "SECRET_KEY": "2f1b6c9de07a4358" * 3,
        "FIELD_ENCRYPTION_KEYS": "q8mWc1Zt4Yd0RkV7uHx2bNs5LgJf9AeP3oTiUy6CwKQ=",
        "DATABASE_URL": _urls.database,
        "REDIS_URL": _urls.redis,
    }
)

from alertsite.settings.base import *  # noqa: E402, F403 (Django reads one module)

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed: nothing to protect here
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
