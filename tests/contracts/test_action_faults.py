"""Every action of every adapter, as a step of a run, cut and refused in every way: nothing is done twice.

The runs are real, the providers are simulated and answer over HTTP. What goes wrong is put in the way of the
one call that acts: a worker is lost before, while or after it is asked, credentials have expired, the
provider throttles, its answer is lost, the resource is gone. Then what follows: verification that flaps, and
a rollback that the provider refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from alertsite.audit.services import first_break
from alertsite.tenancy.scope import platform_scope
from cloud.adapters.protocol import Repeat
from cloud.services.providers import registry
from cloud.simulators.server import Fault, FaultKind
from healing.models import HealingPolicy, HealingRun, HealingStep
from rules.models import AlertInstance
from tests.contracts.adapter_benches import Bench
from tests.factories.automating import write
from tests.factories.healing import Hand, make_playbook
from tests.factories.rows import make_tenant

KNOWN = registry()
QUICK = frozenset({"docker", "host", "http"})
"""Providers that the default run tries; the others are some minutes more."""
EACH = [(provider, word) for provider in KNOWN.names() for word in KNOWN.adapter(provider).actions]
REVERSIBLE = frozenset(each for each in EACH if KNOWN.action(*each).word.inverse is not None)


def tries(among: Iterable[tuple[str, str]]) -> Any:
    """A test for each of these actions."""
    rows = [
        pytest.param(
            provider, word, id=f"{provider}-{word}", marks=() if provider in QUICK else pytest.mark.slow
        )
        for provider, word in among
    ]
    return pytest.mark.parametrize(("provider", "word"), rows)


LOST = ("killed while", "answer lost")
FAULTS = ["killed before", *LOST, "killed after", FaultKind.EXPIRED, FaultKind.THROTTLED, FaultKind.GONE]
PATIENCE = 80
LOST_WORKER_S = 91


class WorkerLost(BaseException):
    """The worker is gone in the middle of what it did, as after kill -9."""


@dataclass
class Cut:
    """What goes wrong with the first call that acts, and how often the provider was really asked."""

    bench: Bench
    fault: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def open(self, tenant_id: Any, name: str) -> Any:
        """In place of the account's session."""
        actions = {word: Cutting(self, one) for word, one in self.bench.adapter.actions.items()}
        yield SimpleNamespace(
            adapter=SimpleNamespace(name=self.bench.adapter.name, actions=actions), session=self.bench.session
        )

    def strikes(self, fault: str) -> bool:
        if self.fault != fault:
            return False
        self.fault = ""
        return True


class Cutting:
    """An action whose calls may be cut."""

    def __init__(self, cut: Cut, action: Any) -> None:
        self._cut, self._action = cut, action

    def __getattr__(self, name: str) -> Any:
        return getattr(self._action, name)

    def act(self, session: Any, parameters: Any, sight: Any, *, key: str) -> Any:
        cut = self._cut
        if cut.strikes("killed before"):
            raise WorkerLost
        for kind in (FaultKind.EXPIRED, FaultKind.THROTTLED, FaultKind.GONE, FaultKind.FORBIDDEN):
            if cut.strikes(kind):
                cut.bench.server.faults = [Fault(kind)]
        if cut.strikes("answer lost"):
            cut.bench.server.lose_next_change()
        cut.asked.append((self._action.word.name, key))
        receipt = self._action.act(session, parameters, sight, key=key)
        if cut.strikes("killed while"):
            raise WorkerLost
        return receipt

    def progress(self, session: Any, parameters: Any, receipt: Any) -> Any:
        if self._cut.strikes("killed after"):
            raise WorkerLost
        return self._action.progress(session, parameters, receipt)


@pytest.fixture
def acme(db, redis_url):
    with platform_scope():
        made = make_tenant("acme")
        HealingPolicy.objects.create(
            tenant=made, low="none", medium="none", high="none", share=1.0, per_hour=10_000
        )
        yield made


@dataclass
class Tried:
    """One action as a run of one step."""

    hand: Hand
    run: HealingRun
    cut: Cut

    def advance(self, seconds: float = 5) -> None:
        """What workers do for a while; one that is lost leaves its lease behind."""
        try:
            self.hand.advance()
        except WorkerLost:
            seconds = LOST_WORKER_S
        self.hand.clock.advance(seconds=seconds)
        self.run = HealingRun.objects.for_tenant(self.run.tenant_id).get(pk=self.run.pk)

    def finish(self) -> HealingRun:
        for _ in range(PATIENCE):
            if self.run.finished_at is not None or self.run.state == "uncertain":
                break
            self.advance()
        return self.run


def begin(acme, benches, provider, word, *, fault="", verify="") -> Tried:
    bench = benches[provider]
    bench.server.faults = []
    bench.ready(word)
    cut = Cut(bench, fault)
    inputs = json.dumps(dict(bench.steps[word]()))
    text = (
        "playbook: tried\ntrigger: {manual: true}\n"
        "limits: {share: 1.0, per_run: 50, per_hour: 1000, cool_down: 0s}\n"
        f"{verify}steps:\n  - {{action: {word}, account: prod, with: {inputs}}}\n"
    )
    hand = Hand.at(open_account=cut.open)
    return Tried(hand, hand.start(make_playbook(acme, text)), cut)


def steps(acme):
    return list(HealingStep.objects.for_tenant(acme).order_by("position"))


def keys(tried):
    """The key of each call: the same for each try of one step."""
    return {key for _, key in tried.cut.asked}


def expected(action, fault, *, in_parts):
    """Where the run ends, and how often the provider is asked."""
    known = action.repeat in (Repeat.ABSOLUTE, Repeat.KEYED)
    if fault == "killed before":
        return ("uncertain", 0) if action.repeat is Repeat.NEVER else ("succeeded", 1)
    if fault in LOST:
        again = 2 if known or (in_parts and fault == "answer lost") else 1
        return ("uncertain", 1) if action.repeat is Repeat.NEVER else ("succeeded", again)
    if fault == FaultKind.THROTTLED:
        return ("succeeded", 2)
    if fault in (FaultKind.EXPIRED, FaultKind.GONE):
        return ("failed", 1)
    return ("succeeded", 1)


@pytest.mark.parametrize("fault", FAULTS)
@tries(EACH)
def test_a_step_that_is_cut_is_done_once_or_left_to_a_person(acme, benches, provider, word, fault):
    bench = benches[provider]
    if fault in bench.unfit:
        return
    tried = begin(acme, benches, provider, word, fault=fault)

    run = tried.finish()

    state, asked = expected(KNOWN.action(provider, word), fault, in_parts=word in bench.in_parts)
    assert tried.cut.fault == "", "the fault did not strike"
    assert (run.state, len(tried.cut.asked)) == (state, asked), run.reason
    assert len(keys(tried)) <= 1
    if state == "uncertain":
        paged = AlertInstance.objects.for_tenant(acme).filter(labels__alertname="HealingNeedsPerson")
        assert paged.count() == 1
    assert first_break(acme.pk) is None


@tries(EACH)
def test_health_that_flaps_proves_nothing_and_what_has_an_inverse_is_taken_back(
    acme, benches, provider, word
):
    verify = "verify: {expr: 'up == 1', for: 30s, within: 2m, every: 5s}\n"
    tried = begin(acme, benches, provider, word, verify=verify)
    before = benches[provider].shape()

    for turn in range(PATIENCE):
        write(acme, tried.hand.clock.now(), float(turn % 3 != 0), "up")
        tried.advance()
        if tried.run.finished_at is not None:
            break

    assert tried.run.flaps > 1
    reversible = (provider, word) in REVERSIBLE
    assert tried.run.state == ("rolled_back" if reversible else "failed"), tried.run.reason
    assert len(tried.cut.asked) == (2 if steps(acme)[-1].key.startswith("undo:") else 1)
    if reversible:
        assert benches[provider].shape() == before


@tries(sorted(REVERSIBLE))
def test_a_rollback_that_is_refused_stops_pages_and_leaves_a_clear_state(acme, benches, provider, word):
    verify = "verify: {expr: 'up == 1', for: 30s, within: 1m, every: 5s}\n"
    tried = begin(acme, benches, provider, word, verify=verify)
    while tried.run.state != "verifying":
        tried.advance()
    tried.cut.fault = FaultKind.FORBIDDEN

    run = tried.finish()

    assert run.state == "rollback_failed", run.reason
    done, undo = steps(acme)
    assert (done.state, undo.state, undo.receipt) == ("done", "failed", None)
    assert run.reason.startswith("step undo:1: ")
    assert "permission_missing" in run.reason
    paged = AlertInstance.objects.for_tenant(acme).filter(labels__alertname="HealingNeedsPerson")
    assert paged.count() == 1
    calls = len(tried.cut.asked)
    tried.advance(seconds=600)
    assert (tried.run.state, len(tried.cut.asked)) == ("rollback_failed", calls)
