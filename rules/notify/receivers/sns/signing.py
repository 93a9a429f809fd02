"""Signature of a request to Amazon, version 4, for a form posted to the root of a service.

Source: "Create a signed AWS API request" in the IAM User Guide.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one service in one region."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    region: str
    service: str

    def headers(self, url: str, body: bytes, content_type: str, now: datetime) -> Mapping[str, str]:
        """What a POST of the body carries to prove who sends it. `now` is aware."""
        moment = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {"content-type": content_type, "host": urlsplit(url).netloc, "x-amz-date": moment}
        if self.session_token:
            signed["x-amz-security-token"] = self.session_token
        names = ";".join(sorted(signed))
        canonical = "\n".join(
            [
                "POST",
                "/",
                "",
                *(f"{name}:{signed[name]}" for name in sorted(signed)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            ]
        )
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.new(
            self._key(moment[:8]), f"{ALGORITHM}\n{moment}\n{scope}\n{digest}".encode(), hashlib.sha256
        )
        proof = f"Credential={self.access_key_id}/{scope}, SignedHeaders={names}"
        sent = {name: value for name, value in signed.items() if name.startswith("x-amz-")}
        return sent | {"Authorization": f"{ALGORITHM} {proof}, Signature={signature.hexdigest()}"}

    def _key(self, day: str) -> bytes:
        """Derived step by step from the secret, so that it serves one day, region and service."""
        key = f"AWS4{self.secret_access_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key
