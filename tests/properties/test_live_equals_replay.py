"""The law that back-tests stand on: over the same samples a replay makes the transitions that were made live.
And that of shards: rules evaluated apart do what they do together.
"""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from alertsite.core.labels import fingerprint
from rules.evaluation.program import ShardProgram
from rules.evaluation.publishing import SeriesPublisher
from rules.evaluation.replay import Helpers, replay
from rules.evaluation.specs import RuleSpec
from rules.evaluation.states import ActiveAlerts
from rules.evaluation.tick import Surroundings, run_tick
from rules.language.engine import EvaluationLimits
from rules.notify.templates import TemplateExpander
from tests.unit.language.store import store_of

STEP = 15_000
TICKS = range(0, 40 * STEP, STEP)
LIMITS = EvaluationLimits()
HOLDS = st.sampled_from([0, STEP, 2 * STEP, 60_000])
EXPRESSIONS = (
    'm{host="a"} > 2',
    "m > 1",
    "avg_over_time(m[1m]) > 1.5",
    "sum by (zone) (m) > 3",
    "absent(m)",
    "rec > 2",
    "rec - m != 0",
    'count(ALERTS{alertstate="firing"}) > 1',
    "changes(ALERTS_FOR_STATE[2m]) > 0",
    "m / on () m",
)
RECORDINGS = ("max(m)", "sum by (zone) (m)", "rec offset 30s + 1 or max(m)", "m > 2")
SAMPLES = st.lists(st.sampled_from(["0", "1", "2", "3", "stale", "_"]), min_size=5, max_size=40).map(" ".join)
LOADS = st.fixed_dictionaries(
    {f'm{{host="{host}", zone="{zone}"}}': SAMPLES for host, zone in (("a", "x"), ("b", "x"), ("c", "y"))}
)


def templates(*_):
    return TemplateExpander()


@st.composite
def spec_lists(draw):
    specs = []
    for number in range(draw(st.integers(1, 6))):
        alerting = draw(st.booleans())
        specs.append(
            RuleSpec(
                id=UUID(int=number),
                version=1,
                alerting=alerting,
                name=f"Alert{number}" if alerting else draw(st.sampled_from(["rec", "other"])),
                expr=draw(st.sampled_from(EXPRESSIONS if alerting else RECORDINGS)),
                group="one",
                hold_for_ms=draw(HOLDS) if alerting else 0,
                keep_firing_for_ms=draw(HOLDS) if alerting else 0,
                no_data_policy=draw(st.sampled_from(["ok", "alerting", "no_data", "keep_state"])),
                labels=(("severity", "{{ $value }}"),) if alerting else (),
            )
        )
    return specs


def told(item):
    change = item.change
    return (
        item.spec.name,
        item.labels,
        change.previous,
        change.state,
        change.reason,
        tuple(item.annotations),
        repr(item.value),
    )


def ticked_live(specs, store):
    """Transitions of ticks that read and write one store, as workers do."""
    program, recorded = ShardProgram(specs), {}
    alerts, labels, seen = ActiveAlerts.none(), [], []
    for at_ms in TICKS:
        publisher = SeriesPublisher(store, program, recorded, now_ms=at_ms)
        around = Surroundings(store, LIMITS, TemplateExpander(), publisher.publish)
        tick = run_tick(program, alerts, labels, around, at_ms)
        seen += [(at_ms, *told(item)) for item in tick.changes]
        alerts, labels = tick.alerts, tick.labels
    return seen


def replayed(specs, store):
    done = replay(specs, store, TICKS, LIMITS, Helpers(templates))
    return [(one.at_ms, *told(one.told)) for one in done.transitions]


@given(specs=spec_lists(), load=LOADS)
@settings(deadline=None, max_examples=40)
def test_live_equals_replay(specs, load):
    untouched = store_of(load, step_ms=STEP)

    assert replayed(specs, untouched) == ticked_live(specs, store_of(load, step_ms=STEP))


@given(specs=spec_lists(), load=LOADS)
@settings(deadline=None, max_examples=15)
def test_replay_over_a_store_that_rules_wrote_to_is_the_same(specs, load):
    written = store_of(load, step_ms=STEP)
    live = ticked_live(specs, written)

    assert replayed(specs, written) == live


@given(specs=spec_lists(), load=LOADS, parts=st.integers(2, 3))
@settings(deadline=None, max_examples=25)
def test_sharded_equals_unsharded(specs, load, parts):
    """Rules that read nothing of each other, told apart by the hash that makes shards."""
    alone = [spec for spec in specs if "rec" not in spec.expr and "ALERTS" not in spec.expr]
    shards = [
        [one for one in alone if fingerprint((("rule", one.id.hex),)) % parts == n] for n in range(parts)
    ]

    apart = [item for shard in shards for item in replayed(shard, store_of(load, step_ms=STEP))]

    assert sorted(apart) == sorted(replayed(alone, store_of(load, step_ms=STEP)))
