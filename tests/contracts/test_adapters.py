"""What every action of every adapter keeps to, against a provider that answers over real HTTP."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from pydantic import ValidationError

from cloud.adapters import errors
from cloud.adapters.protocol import Progress, Repeat, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY
from cloud.services.providers import registry
from cloud.simulators.server import Fault, FaultKind
from tests.contracts.adapter_benches import BENCHES, SECRET

KNOWN = registry()
ACTIONS = [
    pytest.param(provider, word, id=f"{provider}-{word}")
    for provider in KNOWN.names()
    for word in KNOWN.adapter(provider).actions
]
MEANS = {
    FaultKind.EXPIRED: errors.CredentialsRefused,
    FaultKind.FORBIDDEN: errors.PermissionMissing,
    FaultKind.THROTTLED: errors.Throttled,
    FaultKind.GONE: errors.ResourceGone,
    FaultKind.QUOTA: errors.QuotaExhausted,
    FaultKind.UNAVAILABLE: errors.ProviderUnavailable,
}
LONG_ENOUGH = 60

every_action = pytest.mark.parametrize(("provider", "word"), ACTIONS)


@pytest.fixture
def step(benches, provider, word):
    """An action with parameters that fit, and a session."""
    bench = benches[provider]
    bench.server.faults = []
    bench.ready(word)
    action = bench.adapter.actions[word]
    bench.session.exchanges()
    return bench, bench.session, action, action.word.parameters(**bench.steps[word]())


def settled(action, session, parameters, receipt) -> Progress:
    for _ in range(LONG_ENOUGH):
        progress = action.progress(session, parameters, receipt)
        if progress.stage is not Stage.RUNNING:
            return progress
    raise AssertionError(f"still {progress}")


def test_every_adapter_has_a_bench():
    assert set(BENCHES) == {path.split(".")[-3] for path in settings.CLOUD_ADAPTERS}


@pytest.mark.parametrize("provider", sorted(KNOWN.lacking))
def test_provider_without_its_extra_is_not_tried(provider):
    pytest.skip(f"needs the extra [{KNOWN.lacking[provider]}]")


@every_action
def test_declares_itself(provider, word):
    action = KNOWN.action(provider, word)

    assert action.word is VOCABULARY[word]
    assert action.permissions
    assert isinstance(action.repeat, Repeat)
    tells = type(action).happened is not Doing.happened
    assert tells is (action.repeat is Repeat.OBSERVED), "asked of what can be observed alone"


@every_action
def test_dry_run_changes_nothing(step):
    bench, session, action, parameters = step
    before, calls = bench.picture(), list(bench.server.calls)

    sight = action.look(session, parameters)

    assert sight.resources
    assert sight.change
    assert bench.server.calls == calls
    assert bench.picture() == before
    assert json.loads(json.dumps(sight.before)) == sight.before


@every_action
def test_is_done_and_a_second_time_does_no_more(step):
    bench, session, action, parameters = step
    sight = action.look(session, parameters)
    calls, key = len(bench.server.calls), f"once-{action.word.name}"
    if action.repeat is Repeat.OBSERVED:
        assert action.happened(session, parameters, sight.before, key=key) is None

    receipt = action.act(session, parameters, sight, key=key)
    assert len(bench.server.calls) > calls
    assert json.loads(json.dumps(receipt.operation)) == receipt.operation
    assert settled(action, session, parameters, receipt).stage is Stage.DONE

    after = bench.picture()
    if action.repeat in (Repeat.ABSOLUTE, Repeat.KEYED):
        again = action.act(session, parameters, sight, key=key)
        assert settled(action, session, parameters, again).stage is Stage.DONE
        assert bench.picture() == after
    found = action.happened(session, parameters, sight.before, key=key)
    assert (found is not None) is (action.repeat is Repeat.OBSERVED)


@every_action
def test_inverse_brings_back_what_was(step):
    bench, session, action, parameters = step
    if action.word.inverse is None:
        assert action.undo(parameters, {}) is None
        return
    before = bench.shape()
    sight = action.look(session, parameters)
    settled(
        action, session, parameters, action.act(session, parameters, sight, key=f"there-{action.word.name}")
    )
    assert bench.shape() != before or action.word.name == "restart_service"

    inverse = bench.adapter.actions[action.word.inverse]
    back = action.undo(parameters, sight.before)
    assert back is not None
    seen = inverse.look(session, back)
    settled(inverse, session, back, inverse.act(session, back, seen, key=f"back-{action.word.name}"))
    assert bench.shape() == before


@every_action
def test_refusals_are_in_our_words(step):
    bench, session, action, parameters = step
    sight = action.look(session, parameters)
    before = bench.picture()
    for kind, meant in MEANS.items():
        # A pod that is gone is what was wanted.
        if kind in bench.unfit or (action.word.name == "delete_pod" and kind is FaultKind.GONE):
            continue
        bench.server.faults = [Fault(kind)]
        with pytest.raises(meant) as caught:
            action.act(session, parameters, sight, key=f"refused-{action.word.name}")
        assert caught.value.certain
        if isinstance(caught.value, errors.Throttled):
            assert caught.value.retry_after_s == 7
    bench.server.faults = []
    assert bench.picture() == before


@every_action
def test_lost_answer_is_told_apart_and_made_good(step):
    bench, session, action, parameters = step
    sight = action.look(session, parameters)
    bench.server.lose_next_change()

    with pytest.raises(errors.AnswerLost) as caught:
        action.act(session, parameters, sight, key=f"lost-{action.word.name}")

    assert not caught.value.certain
    happened = action.happened(session, parameters, sight.before, key=f"lost-{action.word.name}")
    if action.repeat is Repeat.OBSERVED and action.word.name not in bench.in_parts:
        assert happened is not None
        assert settled(action, session, parameters, happened).stage is Stage.DONE
    elif action.repeat is not Repeat.NEVER:
        receipt = action.act(session, parameters, sight, key=f"lost-{action.word.name}")
        assert settled(action, session, parameters, receipt).stage is Stage.DONE


@every_action
def test_what_is_not_there_is_gone(step, word):
    bench, session, action, _ = step
    missing = bench.missing.get(word, bench.missing.get("*"))
    if missing is None:
        return
    fields = action.word.parameters.model_fields
    asked = {"size": 1} if "size" in fields else {}

    with pytest.raises(errors.ResourceGone):
        action.look(session, action.word.parameters(**asked | dict(missing)))


@every_action
def test_parameters_outside_their_bounds_are_refused(provider, word):
    parameters = VOCABULARY[word].parameters
    with pytest.raises(ValidationError):
        parameters(**dict.fromkeys(parameters.model_fields, "a\nb"))
    with pytest.raises(ValidationError):
        parameters(nonsense=1)


@every_action
def test_exchanges_are_kept_without_secrets(step):
    _bench, session, action, parameters = step
    sight = action.look(session, parameters)
    action.act(session, parameters, sight, key=f"kept-{action.word.name}")

    kept = session.exchanges()

    assert kept
    assert SECRET not in repr(kept)
    assert all(one.request and one.status and one.seconds >= 0 for one in kept)
    json.dumps([[dict(one.sent), dict(one.answered)] for one in kept])
    assert session.exchanges() == []


@pytest.mark.parametrize("provider", KNOWN.names())
def test_says_who_we_are_or_that_it_does_not_know_us(benches, provider):
    bench = benches[provider]
    session = bench.open()
    bench.server.faults = []
    assert bench.adapter.check(session)

    bench.server.faults = [Fault(FaultKind.EXPIRED, times=5)]
    other = bench.open()
    with pytest.raises(errors.CredentialsRefused):
        bench.adapter.check(other)


@pytest.mark.parametrize("provider", KNOWN.names())
def test_inventory_names_each_thing_once(benches, provider):
    bench = benches[provider]
    bench.server.faults = []
    found = [one for page in bench.adapter.inventory(bench.open()) for one in page]

    assert len({(one.kind, one.place, one.id) for one in found}) == len(found)
    assert bool(found) is (provider != "http")
