"""What simulators can do beyond what the contract suite asks: fail late, lag, be told over HTTP."""

from __future__ import annotations

import json
from io import StringIO

import httpx
import pytest
from django.core.management import CommandError, call_command

from cloud.adapters.errors import AdapterError, QuotaExhausted
from cloud.adapters.protocol import Stage
from cloud.simulators.server import Answer, Asked, FaultKind, World, serving
from tests.contracts import adapter_benches
from tests.contracts.adapter_benches import needs
from tests.contracts.test_adapters import settled

STEP = {"instance": "web-1"}


def control(bench, what: str, body) -> None:
    httpx.post(f"{bench.server.url}/_control/{what}", json=body).raise_for_status()


@pytest.mark.parametrize("provider", ["gcp", "azure"])
def test_operation_that_ends_with_an_error_has_failed(provider):
    with getattr(adapter_benches, provider)() as bench:
        control(bench, "world", {"failing": "AllocationFailed", "readings": 3})
        action = bench.adapter.actions["restart_instance"]
        parameters = action.word.parameters(**STEP)
        before = bench.picture()
        receipt = action.act(bench.session, parameters, action.look(bench.session, parameters), key="k")

        progress = settled(action, bench.session, parameters, receipt)

        assert progress.stage is Stage.FAILED
        assert "AllocationFailed" in progress.detail
        assert bench.picture() == before


def test_google_shows_the_old_state_for_a_while_and_that_is_not_done():
    with adapter_benches.gcp() as bench:
        control(bench, "world", {"lag": 3, "readings": 1})
        action = bench.adapter.actions["stop_instance"]
        parameters = action.word.parameters(**STEP)
        receipt = action.act(bench.session, parameters, action.look(bench.session, parameters), key="k")

        seen = [action.progress(bench.session, parameters, receipt).stage for _ in range(4)]

        assert seen == [Stage.RUNNING] * 3 + [Stage.DONE]


def test_rollout_whose_replicas_never_come_up_has_failed():
    with adapter_benches.kubernetes() as bench:
        control(bench, "world", {"broken": True})
        action = bench.adapter.actions["restart_service"]
        parameters = action.word.parameters(service="api", space="shop")
        receipt = action.act(bench.session, parameters, action.look(bench.session, parameters), key="k")

        assert settled(action, bench.session, parameters, receipt).stage is Stage.FAILED


def test_drain_waits_for_a_disruption_budget():
    with adapter_benches.kubernetes() as bench:
        control(bench, "world", {"budgets": {"shop": 0}})
        action = bench.adapter.actions["drain_node"]
        node = max(one["spec"]["nodeName"] for one in bench.server.world.pods.values())
        parameters = action.word.parameters(node=node)
        sight = action.look(bench.session, parameters)
        receipt = action.act(bench.session, parameters, sight, key="k")
        waiting = action.progress(bench.session, parameters, receipt)
        control(bench, "world", {"budgets": {"shop": 9}})

        assert waiting.stage is Stage.RUNNING
        assert f"{sight.before['pods']} held by disruption budgets" in waiting.detail
        assert settled(action, bench.session, parameters, receipt).stage is Stage.DONE


def test_faults_and_calls_are_reached_over_http():
    with adapter_benches.azure() as bench:
        control(bench, "faults", [{"kind": "quota", "times": 1, "matching": "PATCH .*"}])
        action = bench.adapter.actions["scale_group"]
        parameters = action.word.parameters(group="workers", size=3)
        sight = action.look(bench.session, parameters)
        with pytest.raises(QuotaExhausted):
            action.act(bench.session, parameters, sight, key="k")
        action.act(bench.session, parameters, sight, key="k")

        calls = httpx.get(f"{bench.server.url}/_control/calls").json()["calls"]
        assert len(calls) == 1
        assert calls[0].startswith("PATCH ")


def test_sandbox_says_how_its_accounts_are_made():
    needs("cloud.simulators.sandbox")
    out = StringIO()
    call_command("sandbox", "gcp", "docker", "--json", "--once", stdout=out)

    accounts = json.loads(out.getvalue())
    assert {name: one["provider"] for name, one in accounts.items()} == {"gcp": "gcp", "docker": "docker"}
    assert accounts["docker"]["settings"]["engine"].startswith("tcp://127.0.0.1:")


def test_sandbox_refuses_what_it_does_not_simulate():
    needs("cloud.simulators.sandbox")
    with pytest.raises(CommandError, match="accepts aws, azure"):
        call_command("sandbox", "mars", "--once")


class Elsewhere(World):
    """Sends everybody to another server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def answer(self, asked: Asked) -> Answer:
        return Answer(307, {}, {"Location": f"{self.url}{asked.path}"})

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:
        return self.answer(asked)


@pytest.mark.parametrize("provider", ["azure", "docker", "gcp", "http", "kubernetes"])
def test_no_redirect_is_followed(provider):
    """It would lead where no address was checked."""
    with getattr(adapter_benches, provider)() as bench, serving(adapter_benches.Deployer()) as inside:
        inside.world.taken = seen = []
        inside.world.answer = lambda asked: seen.append(asked.path) or Answer(200, {})
        bench.server.world = Elsewhere(inside.url)
        with pytest.raises(AdapterError):
            bench.adapter.check(bench.open())

    assert seen == []
