"""From steps in steps to a flat graph.

In: a playbook. Out: nodes in an order in which each comes after all that it waits for, under keys that stay
the same for the same content: `3`, `2#0.1` (first step of the first round of step 2), `4/1.2` (second step
of the second branch of step 4). Refused with their place: ids that stand twice or that nothing has, waiting
in a circle, more than `MAX_NODES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from healing.playbooks.conditions import parse_condition, references_of
from healing.playbooks.documents import Document, Place
from healing.playbooks.schema import Playbook, read_playbook
from healing.playbooks.steps import (
    ActionStep,
    ForEachStep,
    Leaf,
    ParallelStep,
    RepeatStep,
    Step,
)
from healing.playbooks.templates import parse_template, texts_within

MAX_NODES: Final = 200


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides once whether the steps behind it are taken: when its condition holds, or when it does not."""

    condition: str
    opens: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """One numbered step."""

    key: str
    step: Leaf | Gate
    after: tuple[str, ...] = ()
    """Keys that end first, whichever way they end."""
    gates: tuple[str, ...] = ()
    """Keys of gates that must all be open; else the step is skipped."""
    item: str | None = None
    """Template of the item of the loop that it stands in."""

    @property
    def kind(self) -> str:
        """`action`, `wait`, `check`, `notify`, `approve` or `gate`."""
        return (
            "gate" if isinstance(self.step, Gate) else type(self.step).__name__.removesuffix("Step").lower()
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """A playbook, ready to be run."""

    playbook: Playbook
    nodes: tuple[Node, ...]

    @property
    def actions(self) -> Iterator[ActionStep]:
        """Every action that may be taken."""
        return (node.step for node in self.nodes if isinstance(node.step, ActionStep))

    def node(self, key: str) -> Node | None:
        """The node of a key."""
        return next((node for node in self.nodes if node.key == key), None)


def compile_playbook(text: str) -> Plan:
    """Read, check and flatten a playbook.

    Raises
    ------
    InvalidPlaybook
        With line and column of every fault.
    """
    playbook, document = read_playbook(text)
    planner = _Planner(document)
    planner.check_references(playbook)
    planner.check_references_of({"target": playbook.target}, (), frozenset())
    if playbook.verify is not None:
        planner.check_references_of({"where": playbook.verify.where}, ("verify",), frozenset())
    document.check()
    planner.sequence(playbook.steps, ("steps",), _Around())
    document.check()
    if len(planner.nodes) > MAX_NODES:
        document.refuse(("steps",), f"unrolls to {len(planner.nodes)} steps, limit is {MAX_NODES}")
    document.check()
    return Plan(playbook, tuple(planner.nodes))


Ends: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Around:
    """What surrounds a list of steps."""

    prefix: str = ""
    after: Ends = ()
    gates: tuple[str, ...] = ()
    item: str | None = None


@dataclass(slots=True)
class _Planner:
    document: Document
    nodes: list[Node] = field(default_factory=list)

    def sequence(self, steps: Sequence[Step], place: Place, around: _Around) -> Ends:
        """Add the nodes of a list. Keys that end it."""
        order = self._order(steps, place)
        ends: dict[int, Ends] = {}
        for position in order:
            step, wanted = steps[position], _waits_for(steps, position)
            after = around.after if not wanted else tuple(key for one in wanted for key in ends[one])
            inner = _Around(around.prefix, after or around.after, around.gates, around.item)
            ends[position] = self._step(step, f"{around.prefix}{position + 1}", (*place, position), inner)
            if len(self.nodes) > MAX_NODES:
                return ()  # refused by the caller, before it grows without end
        last = set(range(len(steps))) - {one for at in order for one in _waits_for(steps, at)}
        return tuple(key for position in sorted(last) for key in ends[position])

    def _order(self, steps: Sequence[Step], place: Place) -> list[int]:
        """Positions, each behind those that it waits for."""
        done: list[int] = []
        while len(done) < len(steps):
            free = [
                position
                for position in range(len(steps))
                if position not in done and set(_waits_for(steps, position)) <= set(done)
            ]
            if not free:
                stuck = min(set(range(len(steps))) - set(done))
                names = ", ".join(repr(steps[at].id or at + 1) for at in range(len(steps)) if at not in done)
                self.document.refuse(
                    (*place, stuck, "after"), f"steps wait for each other in a circle: {names}"
                )
                self.document.check()
            done += free
        return done

    def _step(self, step: Step, key: str, place: Place, around: _Around) -> Ends:
        if isinstance(step, RepeatStep):
            return self._repeat(step, key, place, self._gated(step, key, around))
        if isinstance(step, ForEachStep):
            return self._for_each(step, key, place, self._gated(step, key, around))
        if isinstance(step, ParallelStep):
            inner = self._gated(step, key, around)
            return tuple(
                end
                for number, branch in enumerate(step.parallel)
                for end in self.sequence(
                    branch,
                    (*place, "parallel", number),
                    _Around(f"{key}/{number}.", inner.after, inner.gates, inner.item),
                )
            )
        leaf: Any = step
        self.nodes.append(Node(key, leaf, around.after, around.gates, around.item))
        return (key,)

    def _gated(self, step: Step, key: str, around: _Around) -> _Around:
        """A condition on a whole block becomes a gate before it."""
        if step.condition is None:
            return around
        return self._gate(f"{key}?", Gate(step.condition), around)

    def _gate(self, key: str, gate: Gate, around: _Around) -> _Around:
        self.nodes.append(Node(key, gate, around.after, around.gates, around.item))
        return _Around(around.prefix, (key,), (*around.gates, key), around.item)

    def _repeat(self, step: RepeatStep, key: str, place: Place, around: _Around) -> Ends:
        """Each round but the first stands behind a gate, which stands behind that of the round before."""
        inner = around
        for number in range(step.repeat.times):
            if number and step.repeat.until is not None:
                inner = self._gate(f"{key}#{number}?", Gate(step.repeat.until, opens=False), inner)
            within = _Around(f"{key}#{number}.", inner.after, inner.gates, inner.item)
            ends = self.sequence(step.steps, (*place, "steps"), within)
            inner = _Around(inner.prefix, ends, inner.gates, inner.item)
        return inner.after

    def _for_each(self, step: ForEachStep, key: str, place: Place, around: _Around) -> Ends:
        after = around.after
        for number, item in enumerate(step.for_each):
            within = _Around(f"{key}#{number}.", after, around.gates, item)
            after = self.sequence(step.steps, (*place, "steps"), within)
        return after

    def check_references(self, playbook: Playbook) -> None:
        """Ids stand once, and are read only behind their step."""
        known: set[str] = set()
        for step, place in _walk(playbook.steps, ("steps",)):
            inner = {step.id} if step.id else set()
            if isinstance(step, RepeatStep):
                inner |= {one.id for one, _ in _walk(step.steps, ()) if one.id}
            self.check_references_of(_texts_of(step), place, frozenset(known))
            if isinstance(step, RepeatStep) and step.repeat.until is not None:
                self._check_condition(step.repeat.until, (*place, "repeat", "until"), known | inner)
            if step.condition is not None:
                self._check_condition(step.condition, (*place, "if"), known)
            if step.id in known:
                self.document.refuse((*place, "id"), f"id {step.id!r} stands twice")
            known |= {step.id} if step.id else set()
        self._check_after(playbook.steps, ("steps",))

    def check_references_of(self, texts: Mapping[str, Any], place: Place, known: frozenset[str]) -> None:
        """Templates read results of steps that come before."""
        for name, value in texts.items():
            for text in texts_within(value):
                for reference in parse_template(text).references:
                    if reference.root == "results" and reference.name not in known:
                        self.document.refuse((*place, name), f"{reference}: no step before has this id")

    def _check_condition(self, text: str, place: Place, known: set[str]) -> None:
        for reference in references_of(parse_condition(text)):
            if reference.root == "results" and reference.name not in known:
                self.document.refuse(place, f"{reference}: no step before has this id")

    def _check_after(self, steps: Sequence[Step], place: Place) -> None:
        siblings = {step.id for step in steps if step.id}
        for position, step in enumerate(steps):
            for name in step.after or ():
                if name not in siblings:
                    self.document.refuse(
                        (*place, position, "after"), f"no step of this list has the id {name!r}"
                    )
            for inner, where in _lists_in(step):
                self._check_after(inner, (*place, position, *where))


def _waits_for(steps: Sequence[Step], position: int) -> list[int]:
    """Positions of the same list that come first."""
    after = steps[position].after
    if after is None:
        return [position - 1] if position else []
    return [at for at, step in enumerate(steps) if step.id in after]


def _lists_in(step: Step) -> list[tuple[Sequence[Step], Place]]:
    if isinstance(step, RepeatStep | ForEachStep):
        return [(step.steps, ("steps",))]
    if isinstance(step, ParallelStep):
        return [(branch, ("parallel", number)) for number, branch in enumerate(step.parallel)]
    return []


def _walk(steps: Sequence[Step], place: Place) -> Iterator[tuple[Step, Place]]:
    """Every step with its place, as they stand."""
    for position, step in enumerate(steps):
        yield step, (*place, position)
        for inner, where in _lists_in(step):
            yield from _walk(inner, (*place, position, *where))


def _texts_of(step: Step) -> dict[str, Any]:
    """Templates of a step, by field."""
    found = {name: getattr(step, name, None) for name in ("text", "where", "for_each")}
    return found | {"with": getattr(step, "inputs", None)}
