"""Packed definitions are the definitions that were packed."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from rules.evaluation.specs import PackedSpecs, RuleSpec

PAIRS = st.lists(st.tuples(st.text(max_size=3), st.text(max_size=5)), max_size=2).map(tuple)
SPECS = st.lists(
    st.builds(
        RuleSpec,
        id=st.uuids(),
        version=st.integers(1, 3),
        alerting=st.booleans(),
        name=st.text(st.characters(), max_size=5),
        expr=st.text(max_size=9),
        group=st.sampled_from("ab"),
        hold_for_ms=st.sampled_from([0, 60_000]),
        labels=PAIRS,
    ),
    max_size=6,
)


@given(specs=SPECS)
def test_what_is_packed_is_read_back(specs):
    packed = PackedSpecs(specs)

    assert list(packed) == specs
    assert packed[1:] == specs[1:]
    assert [packed[-1]] == specs[-1:] if specs else len(packed) == 0
    assert [packed.shared(at).labels for at in range(len(specs))] == [spec.labels for spec in specs]
    assert packed.positions() == {spec.id.bytes: at for at, spec in enumerate(specs)}


def test_what_rules_share_is_kept_once():
    specs = [RuleSpec(UUID(int=n), 1, True, f"Rule{n}", f"m{n} > 1", "g") for n in range(100)]

    packed = PackedSpecs(specs)

    assert len({id(packed.shared(rule)) for rule in range(100)}) == 1
