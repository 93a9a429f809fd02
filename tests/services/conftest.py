"""Fixtures of models: a tenant whose store takes a day of history, and a group that has learned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alertsite.tenancy.models import Quota, Tenant
from alertsite.tenancy.scope import platform_scope
from ml.models import ModelGroup
from tests.factories.modelling import HISTORY, learn, make_models, ordinary, write
from tests.factories.rows import NOON, make_tenant
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None, redis_url: str) -> Iterator[Tenant]:
    with platform_scope():
        made = make_tenant()
        Quota.objects.filter(pk=made.pk).update(lateness_s=86_400)
        yield made


@pytest.fixture
def group(tenant: Tenant, clock: FakeClock) -> ModelGroup:
    """A group with history and a champion."""
    write(tenant, clock, ordinary(HISTORY))
    made = make_models(tenant, clock)
    assert learn(made, clock).status == "champion"
    return made
