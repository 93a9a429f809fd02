"""Metrics of cloud accounts: stored as series, within a budget, left alone after failures."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest

from alertsite.core.clock import from_datetime
from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import Matcher, MatchOp
from alertsite.tenancy.scope import tenant_scope
from cloud.adapters.errors import Throttled
from cloud.adapters.protocol import MetricSeries
from cloud.models import CloudAccount
from cloud.services.accounts import wanted_metrics
from rules.services import cloudmetrics
from rules.services.stores import hot_store
from tests.factories.rows import NOON, make_tenant
from tests.services.test_inventory import At


@pytest.fixture
def acme(db, redis_url):
    tenant = make_tenant("acme")
    with tenant_scope(tenant.pk):
        yield tenant


@pytest.fixture
def account(acme):
    wanted = [{"metric": "CPUUtilization", "dimensions": {"InstanceId": f"i-{number}"}} for number in "12"]
    return CloudAccount.objects.create(
        tenant=acme,
        name="prod",
        provider="aws",
        metrics=wanted,
        metric_calls_per_hour=3,
        next_pull_at=NOON,
    )


@pytest.fixture
def provider(monkeypatch):
    """Answers each query with one sample, for one call; `fault` is raised instead."""
    state = SimpleNamespace(asked=[], fault=None)

    def metrics(_, queries):
        state.asked.append(queries)
        if state.fault:
            raise state.fault
        for query in queries:
            labels = {"__name__": "cloud_aws_cpu", "instance_id": query.dimensions["InstanceId"]}
            yield MetricSeries(labels, [query.end_ms - 60_000], [42.0])

    @contextmanager
    def opened(_):
        session = SimpleNamespace(exchanges=lambda: state.asked[-1])
        yield SimpleNamespace(adapter=SimpleNamespace(metrics=metrics), session=session)

    monkeypatch.setattr(cloudmetrics, "opened", opened)
    return state


def pull(account, moment=NOON):
    receipt = cloudmetrics.pull_account(account.tenant_id, account.pk, At(moment))
    account.refresh_from_db()
    return receipt


def test_samples_become_series_of_the_tenant(account, provider):
    assert pull(account).accepted == 2

    store = hot_store(account.tenant_id)
    numbers = store.select([Matcher("__name__", MatchOp.EQUAL, "cloud_aws_cpu")])
    found = [dict(labels) for labels in store.labels(numbers)]
    assert sorted(one["instance_id"] for one in found) == ["i-1", "i-2"]
    assert {one["account"] for one in found} == {"prod"}
    columns = store.read(numbers, from_datetime(NOON) - 120_000, from_datetime(NOON))
    assert list(columns.values) == [42.0, 42.0]


def test_budget_of_calls_holds_for_an_hour(account, provider):
    pull(account)
    pull(account, NOON + timedelta(minutes=1))
    assert [len(queries) for queries in provider.asked] == [2, 1]

    pull(account, NOON + timedelta(minutes=2))
    assert len(provider.asked) == 2
    assert account.pull_fault == "the budget of calls is spent"
    assert account.next_pull_at == NOON + timedelta(hours=1)

    pull(account, NOON + timedelta(hours=1))
    assert (len(provider.asked[-1]), account.pull_fault) == (2, "")


def test_throttled_pull_waits_and_its_calls_count(account, provider):
    provider.fault = Throttled("slow down", 600.0)
    pull(account)

    assert (account.metric_calls, account.pull_failures, account.pull_fault) == (2, 1, "slow down")
    assert account.next_pull_at == NOON + timedelta(minutes=10)
    assert account.pulled_at is None


def test_next_pull_reaches_back_to_the_last_and_further(account, provider):
    pull(account)
    pull(account, NOON + timedelta(minutes=10))
    assert provider.asked[-1][0].start_ms == from_datetime(NOON - timedelta(minutes=5))


def test_due_accounts_are_claimed_once(account, acme):
    assert cloudmetrics.claim_due(now=NOON) == [(account.pk, acme.pk)]
    assert cloudmetrics.claim_due(now=NOON) == []


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param([{"kind": "instance"}], id="without a name"),
        pytest.param([{"metric": "x", "period_s": 1}], id="finer than a minute"),
        pytest.param([{"metric": "x", "nonsense": 1}], id="unknown field"),
        pytest.param("CPUUtilization", id="no list"),
    ],
)
def test_metrics_that_cannot_be_asked_for_are_refused(account, metrics):
    account.metrics = metrics
    with pytest.raises(InvalidParameter):
        wanted_metrics(account)
