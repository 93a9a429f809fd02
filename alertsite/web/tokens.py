"""JWTs for people, and the OpenAPI document: third-party views with our rate classes."""

from __future__ import annotations

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView


class Token(TokenObtainPairView):
    """User name and password for an access and a refresh token."""

    throttle_scope = "token"


class RefreshedToken(TokenRefreshView):
    """A refresh token for a new access token."""

    throttle_scope = "token"


class Schema(SpectacularAPIView):
    """The OpenAPI document, for anyone: it says nothing about tenants."""

    throttle_scope = "read"
    authentication_classes = ()
    permission_classes = ()


class Docs(SpectacularSwaggerView):
    """The OpenAPI document as a page, with assets of our own."""

    throttle_scope = "read"
    authentication_classes = ()
    permission_classes = ()
