"""Alice owns acme, Bob is a viewer there, Charlie owns another tenant; each with a client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from alertsite.tenancy.models import Membership, Tenant, User
from alertsite.tenancy.scope import platform_scope
from tests.factories.rows import make_tenant, make_user


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
    return client


@pytest.fixture
def acme(db: None, redis_url: str) -> Iterator[Tenant]:
    """Rows made in the test are made in platform scope; requests enter their own."""
    cache.clear()
    with platform_scope():
        yield make_tenant("acme")


@pytest.fixture
def alice(acme: Tenant) -> APIClient:
    user = make_user("alice")
    Membership.objects.create(tenant=acme, user=user, role="owner")
    return client_of(user)


@pytest.fixture
def bob(acme: Tenant) -> APIClient:
    user = make_user("bob")
    Membership.objects.create(tenant=acme, user=user, role="viewer")
    return client_of(user)


@pytest.fixture
def charlie(acme: Tenant) -> APIClient:
    user = make_user("charlie")
    Membership.objects.create(tenant=make_tenant("other"), user=user, role="owner")
    return client_of(user)


@pytest.fixture
def operator(acme: Tenant) -> APIClient:
    return client_of(make_user("operator", is_superuser=True, is_staff=True))
