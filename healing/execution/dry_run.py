"""A playbook walked through with made-up answers: nothing is asked, nothing is done.

In: a plan, the trigger, and what checks and actions answer. Out: the steps that would be taken, in order,
with their inputs filled. Refused: what the live run would refuse as well, such as an input that no label
gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from alertsite.core.errors import PlatformError
from healing.execution.states import Standing, StepState, Turn, turn_of
from healing.playbooks.conditions import holds, parse_condition
from healing.playbooks.planner import Gate, Node, Plan
from healing.playbooks.references import Scalar, Scope
from healing.playbooks.steps import ActionStep, ApproveStep, CheckStep, NotifyStep, WaitStep
from healing.playbooks.templates import fill


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that would be taken, as it would be written without templates."""

    key: str
    step: Mapping[str, Any]
    failed: bool = False
    reason: str = ""


@dataclass(slots=True)
class _Walk:
    scope: Scope
    answers: Mapping[str, Any]
    states: dict[str, StepState] = field(default_factory=dict)
    gates: dict[str, bool] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)


def rehearse(plan: Plan, scope: Scope, answers: Mapping[str, Any]) -> list[Taken]:
    """The steps that would be taken.

    Parameters ---------- answers By id or key of the step: whether a check holds, whether an action
    succeeds; a mapping is the result as later steps read it. Everything holds and succeeds by default.
    """
    walk = _Walk(scope, answers)
    for node in plan.nodes:
        turn = turn_of(Standing(node.key, node.after, node.gates), walk.states, walk.gates)
        if turn is Turn.SKIP or not condition_holds(node, walk.scope):
            walk.states[node.key] = StepState.SKIPPED
            continue
        if _take(walk, node):
            break
    return walk.taken


def condition_holds(node: Node, scope: Scope) -> bool:
    """Whether the step's own `if` lets it be taken."""
    if isinstance(node.step, Gate) or node.step.condition is None:
        return True
    return holds(parse_condition(node.step.condition), within(node, scope))


def within(node: Node, scope: Scope) -> Scope:
    """The scope as the step sees it: with the item of its loop."""
    return scope if node.item is None else replace(scope, item=fill(node.item, scope))


def gate_is_open(gate: Gate, scope: Scope) -> bool:
    """Whether the steps behind a gate are taken."""
    return holds(parse_condition(gate.condition), scope) is gate.opens


def _take(walk: _Walk, node: Node) -> bool:
    """Take a step. Whether the run ends there."""
    if isinstance(node.step, Gate):
        walk.gates[node.key] = gate_is_open(node.step, within(node, walk.scope))
        walk.states[node.key] = StepState.DONE
        return False
    answer = walk.answers.get(node.key, walk.answers.get(node.step.id or "", True))
    good = answer if isinstance(answer, bool) else bool(answer.get("held", True))
    try:
        described = describe(node, walk.scope)
    except (PlatformError, ValidationError) as error:
        walk.taken.append(Taken(node.key, {node.kind: "?"}, failed=True, reason=str(error)))
        return True
    fails = not good and (isinstance(node.step, ActionStep) or getattr(node.step, "required", False))
    walk.taken.append(Taken(node.key, described, failed=fails))
    walk.states[node.key] = StepState.FAILED if fails else StepState.DONE
    _remember(walk, node, answer, good=good)
    return fails


def _remember(walk: _Walk, node: Node, answer: Any, *, good: bool) -> None:
    step_id = None if isinstance(node.step, Gate) else node.step.id
    if step_id is not None:
        result: Mapping[str, Scalar] = answer if isinstance(answer, Mapping) else {"held": good}
        walk.scope = replace(walk.scope, results={**walk.scope.results, step_id: result})


def describe(node: Node, scope: Scope) -> dict[str, Any]:
    """A step with its templates filled and its inputs as the word takes them.

    Raises
    ------
    MissingValue, ValidationError
        If a value is not there, or is none that the word takes.
    """
    seen, step = within(node, scope), node.step
    if isinstance(step, ActionStep):
        inputs = step.word.parameters.model_validate(fill(dict(step.inputs), seen))
        return {"action": step.action, "account": step.account, "with": inputs.model_dump(mode="json")}
    if isinstance(step, WaitStep):
        return {"wait": step.wait}
    if isinstance(step, CheckStep):
        return {"check": step.check, "where": fill(dict(step.where), seen)}
    if isinstance(step, NotifyStep):
        return {"notify": step.notify, "text": fill(step.text, seen)}
    if isinstance(step, ApproveStep):
        return {"approve": step.approve, "text": fill(step.text, seen)}
    return {"gate": step.condition}
