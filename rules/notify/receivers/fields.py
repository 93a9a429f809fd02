"""Types of configuration that several kinds share. Each refuses what would break a request."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

Token = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[\x21-\x7e]+$")]
"""A credential that goes into a header: visible ASCII, no spaces."""
SecretUrl = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://[\x21-\x7e]+$")]
"""A URL that is itself the credential, as those of incoming webhooks are."""
