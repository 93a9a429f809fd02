"""Views whose address holds the credential: whoever knows it may use it, for this one thing."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView


@extend_schema(auth=[])
class TokenView(APIView):
    """Asks for no login; its rate is counted by the address of whoever asks."""

    authentication_classes = ()
    permission_classes = ()
    throttle_scope: str
