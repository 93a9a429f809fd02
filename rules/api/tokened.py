"""Views whose address holds the credential: whoever knows it may use it, for this one thing."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from alertsite.core.errors import PlatformError


class BodyTooLarge(PlatformError):
    """A body is longer than the address accepts."""

    code = "body.too_large"


@extend_schema(auth=[])
class TokenView(APIView):
    """Asks for no login; its rate is counted by the address of whoever asks."""

    authentication_classes = ()
    permission_classes = ()
    throttle_scope: str


def json_body(request: Request, *, limit: int) -> Any:
    """The JSON of a body of at most `limit` bytes, whatever its declared type.

    Raises
    ------
    BodyTooLarge, ParseError
    """
    body = request._request.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(f"the body is longer than {limit} bytes")
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ParseError(f"the body is no JSON that can be read: {error}") from None
    return value
