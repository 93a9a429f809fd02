"""Every route declares what a credential needs and how often it may be asked."""

from __future__ import annotations

import pytest
from django.conf import settings

from alertsite.web.views import TenantView
from tests.faces.test_tenancy import NO_TENANT, OPEN, patterns

ROUTES = {route: pattern for route, pattern in patterns() if route not in OPEN | NO_TENANT}


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_route_declares_scope_and_rate(route):
    callback = ROUTES[route].callback
    view = getattr(callback, "cls", None)
    if view is None:
        assert callback.__wrapped__ is not None
        assert _scope_of(callback) in {"read", "write", "ingest"}
    elif issubclass(view, TenantView):
        assert view.write_scope in settings.THROTTLE_RATES
    else:
        assert view.throttle_scope in settings.THROTTLE_RATES


def _scope_of(callback) -> str:
    while not hasattr(callback, "required_scope"):
        callback = callback.__wrapped__
    return callback.required_scope
