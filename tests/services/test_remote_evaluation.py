"""Rules whose queries are answered elsewhere: live ticks, back-tests, and what a failure touches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertInstance, Datasource, LedgerEntry, Rule
from rules.series.backends.memory import MemorySeries
from rules.services import datasources
from rules.services.authoring import save_group
from rules.services.backtesting import Trial, backtest
from tests.conformance.cases import WIDE, append
from tests.factories.rows import AUTHOR, NOON, make_group, make_rule, make_tenant
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import FakeHTTPServer, Reply
from tests.fakes.prometheus import prometheus_server
from tests.services.test_evaluation import history, outcomes, tick
from tests.unit.language.store import labels_of

SECOND = 1000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None, redis_url: str, settings: object) -> Iterator[Tenant]:
    settings.ALLOW_PRIVATE_WEBHOOKS = True  # type: ignore[attr-defined]
    with platform_scope():
        yield make_tenant()


@pytest.fixture
def far(clock: FakeClock) -> Iterator[FakeHTTPServer]:
    """Answers with queue lengths of two jobs, the longer of which is too long for five minutes."""
    store = MemorySeries(WIDE)
    start_ms = clock.now_ms() - 300 * SECOND
    lengths = [float(5 if 300 <= 15 * step < 600 else 0) for step in range(80)]
    append(store, labels_of('queue{job="a"}'), lengths, (start_ms, 15 * SECOND))
    append(store, labels_of('queue{job="b"}'), [0.0] * 80, (start_ms, 15 * SECOND))
    with prometheus_server(store) as server:
        yield server


def make_datasource(tenant: Tenant, far: FakeHTTPServer, **values: object) -> Datasource:
    known = {"name": "far", "url": f"http://127.0.0.1:{far.server_port}/mimir"}
    return datasources.save_datasource(Datasource(tenant=tenant, **{**known, **values}), AUTHOR)


def test_the_query_is_answered_there_and_everything_after_it_here(tenant, clock, far):
    source = make_datasource(tenant, far, auth="bearer", secrets={"token": "s3cret"})
    rule = make_rule(
        make_group(tenant),
        name="Long",
        expr="queue > 3",
        hold_for_s=15,
        annotations={"summary": "{{ $labels.job }} has {{ $value }}"},
        datasource_id=str(source.pk),
    )

    tick(clock, tenant, None)
    tick(clock, tenant, None)

    assert history(rule) == [("inactive", "pending"), ("pending", "firing")]
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert alert.labels == {"alertname": "Long", "job": "a", "severity": "medium"}
    assert alert.annotations == {"summary": "a has 5"}
    assert {one.path for one in far.arrived} == {"/mimir/api/v1/query"}
    assert {one.headers["Authorization"] for one in far.arrived} == {"Bearer s3cret"}


def test_what_is_recorded_from_there_is_read_here_at_the_same_tick(tenant, clock, far):
    group = make_group(tenant)
    group.datasource = make_datasource(tenant, far)
    save_group(group, AUTHOR)
    make_rule(group, kind="recording", name="queue:max", expr="max(queue)", position=0)
    other = make_rule(make_group(tenant, "here"), name="Seen", expr="queue:max == 5")

    tick(clock, tenant, None)
    tick(clock, tenant, None)

    assert history(other) == [("inactive", "firing")]


def test_a_failing_datasource_is_an_error_of_its_rules_alone(tenant, clock, far):
    group = make_group(tenant)
    make_rule(group, name="Here", expr="up == 0", position=0)
    there = make_rule(
        group, name="There", expr="queue > 3", datasource_id=str(make_datasource(tenant, far).pk), position=1
    )
    words = b'{"status":"error","errorType":"execution","error":"too many samples"}'
    far.answer = lambda _: Reply(422, body=words)

    tick(clock, tenant, 0)

    assert outcomes(tenant) == [["ok", "error"]]
    assert list(AlertInstance.objects.for_tenant(tenant).values_list("rule__name", flat=True)) == ["Here"]
    (errors,) = LedgerEntry.objects.for_tenant(tenant).values_list("errors", flat=True)
    assert errors == {str(there.pk): "datasource 'far': execution: too many samples"}
    assert Rule.objects.for_tenant(tenant).get(pk=there.pk).health == "error"


def test_rules_that_ask_the_same_ask_once(tenant, clock, far):
    group, source = make_group(tenant), make_datasource(tenant, far)
    for name in ("One", "Two"):
        make_rule(group, name=name, expr="queue > 3", datasource_id=str(source.pk))

    tick(clock, tenant, None)

    assert len(far.arrived) == 1
    assert AlertInstance.objects.for_tenant(tenant).count() == 2


def test_hysteresis_asks_for_the_recovery_only_while_something_fires(tenant, clock, far):
    source = make_datasource(tenant, far)
    rule = make_rule(
        make_group(tenant),
        expr="queue > bool 3 == 1",
        recovery_expr="queue >= 0",
        datasource_id=str(source.pk),
    )

    for _ in range(25):
        tick(clock, tenant, None)

    assert history(rule) == [("inactive", "firing")]
    assert len(far.arrived) == 25 + 24


def test_a_disabled_datasource_says_so(tenant, clock, far):
    source = make_datasource(tenant, far, enabled=False)
    make_rule(make_group(tenant), datasource_id=str(source.pk))

    tick(clock, tenant, None)

    (errors,) = LedgerEntry.objects.for_tenant(tenant).values_list("errors", flat=True)
    assert list(errors.values()) == ["datasource 'far' is disabled"]
    assert not far.arrived


def test_a_back_test_tells_what_live_ticks_did(tenant, clock, far):
    source = make_datasource(tenant, far)
    rule = make_rule(make_group(tenant), expr="queue > 3", hold_for_s=30, datasource_id=str(source.pk))
    started_ms = clock.now_ms()
    for _ in range(30):
        tick(clock, tenant, None)
    live = list(rule.transitions.order_by("at").values_list("at", "previous", "state"))

    trial = Trial(started_ms, clock.now_ms(), rule=rule)
    done = backtest(tenant.pk, trial, now_ms=clock.now_ms())

    assert [(t.told.change.previous, t.told.change.state) for t in done.verdict.replay.transitions] == [
        (previous, state) for _, previous, state in live
    ]
    assert [dict(line.labels)["job"] for line in done.plot.lines] == ["a", "b"]
    assert done.plot.threshold == 3
