"""Secrets at rest: a JSON field encrypted with the first of `FIELD_ENCRYPTION_KEYS`, readable with any of
them.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]
    """A JSON value whose column holds a Fernet token. Cannot be searched."""

    def get_prep_value(self, value: Any) -> str:
        """Encrypt."""
        plain = json.dumps(value, cls=DjangoJSONEncoder, separators=(",", ":"))
        return _cipher().encrypt(plain.encode()).decode()

    def from_db_value(self, value: str | None, _: Expression, __: BaseDatabaseWrapper) -> Any:
        """Decrypt. A token that no key opens raises `cryptography.fernet.InvalidToken`."""
        return None if value is None else json.loads(_cipher().decrypt(value.encode()))

    def to_python(self, value: Any) -> Any:
        """Accept JSON text from forms, values from code."""
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        """Serialised fixtures stay encrypted."""
        return self.get_prep_value(self.value_from_object(obj))
