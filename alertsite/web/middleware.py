"""The admin acts for every tenant: its requests run in platform scope, if a superuser makes them."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from alertsite.tenancy.models import User
from alertsite.tenancy.scope import platform_scope


class AdminScope:
    """Enters platform scope for the admin's pages and no other; staff without platform scope is refused."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        if not request.path.startswith(reverse("admin:index")):
            return self._get_response(request)
        user: User | AnonymousUser = request.user
        if user.is_authenticated and not user.is_superuser and request.path != reverse("admin:logout"):
            raise PermissionDenied("the admin is for operators: members use the API")
        with platform_scope():
            return self._get_response(request)
