"""Definitions of a shard's rules, packed: a quiet tick reads none of them, so they must cost little to keep.

In: `RuleSpec`s. Out: the same, made anew for whoever asks. What rules share is kept once; identifiers and
texts, which differ, lie in two byte strings. Nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, overload
from uuid import UUID

import numpy as np

from alertsite.core.identifiers import RuleId

_ID_BYTES: Final = 16
_NOBODY: Final = RuleId(UUID(int=0))


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """What the evaluator knows of one rule."""

    id: RuleId
    version: int
    alerting: bool
    """False: a recording rule, whose result is stored as the series `name`."""
    name: str
    expr: str
    group: str
    """Rules of one group see each other's results within a tick, in order."""
    recovery_expr: str = ""
    query_offset_ms: int = 0
    hold_for_ms: int = 0
    keep_firing_for_ms: int = 0
    alert_limit: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    no_data_policy: str = "ok"
    error_policy: str = "keep_state"
    datasource: str = ""
    """Who answers the rule's query; empty for our own store."""


class PackedSpecs(Sequence[RuleSpec]):
    """Immutable; equal to the list it was made of, element by element."""

    def __init__(self, specs: Iterable[RuleSpec]) -> None:
        shared: dict[RuleSpec, int] = {}
        ids, texts = bytearray(), bytearray()
        ends, which = [0], list[int]()
        for spec in specs:
            ids += spec.id.bytes
            for text in (spec.name, spec.expr):
                texts += text.encode("utf-8", "surrogatepass")
                ends.append(len(texts))
            which.append(shared.setdefault(replace(spec, id=_NOBODY, name="", expr=""), len(shared)))
        self._ids, self._texts = bytes(ids), bytes(texts)
        self._ends, self._which = np.array(ends, np.uint32), np.array(which, np.uint32)
        self._shared = list(shared)

    def __len__(self) -> int:
        return len(self._which)

    @overload
    def __getitem__(self, rule: int) -> RuleSpec: ...
    @overload
    def __getitem__(self, rule: slice) -> list[RuleSpec]: ...
    def __getitem__(self, rule: int | slice) -> RuleSpec | list[RuleSpec]:
        if isinstance(rule, slice):
            return [self[position] for position in range(len(self))[rule]]
        position = range(len(self))[rule]
        start, middle, end = self._ends[2 * position : 2 * position + 3].tolist()
        return replace(
            self.shared(position),
            id=RuleId(UUID(bytes=self._id(position))),
            name=self._texts[start:middle].decode("utf-8", "surrogatepass"),
            expr=self._texts[middle:end].decode("utf-8", "surrogatepass"),
        )

    def shared(self, rule: int) -> RuleSpec:
        """The rule without `id`, `name` and `expr`: nothing has to be made for it."""
        return self._shared[int(self._which[rule])]

    def positions(self) -> dict[bytes, int]:
        """Where each rule stands, by the bytes of its id."""
        return {self._id(position): position for position in range(len(self))}

    def _id(self, position: int) -> bytes:
        return self._ids[_ID_BYTES * position : _ID_BYTES * (position + 1)]
