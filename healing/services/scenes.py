"""A run with its plan and steps, as one picture to decide by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from alertsite.core.errors import PlatformError
from healing.approvals.quorum import plan_hash
from healing.execution.dry_run import describe
from healing.execution.states import STEP_ENDS, Standing, StepState, Turn, turn_of
from healing.models import HealingRun, HealingStep
from healing.playbooks.planner import Gate, Node, Plan
from healing.playbooks.references import Scope
from healing.playbooks.rollback import UNDO
from healing.playbooks.steps import ActionStep
from healing.services.playbooks import compiled


@dataclass(frozen=True, slots=True)
class Scene:
    """Steps by key; those that take others back are apart."""

    run: HealingRun
    plan: Plan
    steps: dict[str, HealingStep]
    undoing: list[HealingStep]

    @property
    def scope(self) -> Scope:
        """What steps may read now."""
        results = {}
        for node in self.plan.nodes:
            step = self.steps.get(node.key)
            if not isinstance(node.step, Gate) and node.step.id and step is not None and step.result:
                results[node.step.id] = step.result
        run = self.run
        return Scope(run.labels, run.annotations, run.value, results)

    def node(self, step: HealingStep) -> Node:
        """As the playbook has it."""
        found = self.plan.node(step.key)
        assert found is not None
        return found

    def in_flight(self) -> list[HealingStep]:
        """Steps that were begun and have not ended."""
        states = {StepState.CALLING, StepState.ACCEPTED}
        return [step for step in self.steps.values() if step.state in states]

    def of_state(self, state: StepState) -> list[HealingStep]:
        """Steps of the plan in a state."""
        return [step for step in self.steps.values() if step.state == state]

    def turns(self) -> Iterable[tuple[Node, HealingStep, Turn]]:
        """What each pending step may do now."""
        states = {key: StepState(step.state) for key, step in self.steps.items()}
        gates = {key: bool(step.result["open"]) for key, step in self.steps.items() if "open" in step.result}
        for node in self.plan.nodes:
            step = self.steps[node.key]
            if step.state == StepState.PENDING:
                yield node, step, turn_of(Standing(node.key, node.after, node.gates), states, gates)

    @property
    def over(self) -> bool:
        """Whether every step has ended."""
        return all(StepState(step.state) in STEP_ENDS for step in self.steps.values())


def plan_of(run: HealingRun) -> Plan:
    """The plan of the version that the run began with.

    Raises
    ------
    InvalidPlaybook
    """
    assert run.version is not None
    return compiled(run.version.text)


def scene_of(run: HealingRun) -> Scene:
    """The run with its steps as they are stored."""
    rows = list(HealingStep.objects.for_tenant(run.tenant_id).filter(run=run).order_by("position"))
    plain = {step.key: step for step in rows if not step.key.startswith(UNDO)}
    return Scene(run, plan_of(run), plain, [step for step in rows if step.key.startswith(UNDO)])


def new_steps(run: HealingRun, plan: Plan) -> list[HealingStep]:
    """Rows for every step of a plan."""
    return [
        HealingStep(
            tenant_id=run.tenant_id,
            run=run,
            key=node.key,
            position=position,
            kind=node.kind,
            word=node.step.action if isinstance(node.step, ActionStep) else "",
            account=node.step.account if isinstance(node.step, ActionStep) else "",
        )
        for position, node in enumerate(plan.nodes)
    ]


def hash_of(run: HealingRun, plan: Plan) -> str:
    """What a person says yes to: this content, this trigger, these inputs as far as they are known."""
    scope = Scope(run.labels, run.annotations, run.value)
    inputs = [_described(node, scope) for node in plan.nodes]
    trigger = [run.labels, run.annotations, run.value, str(run.alert_id)]
    return plan_hash(str(run.pk), plan.playbook.digest, trigger, inputs, run.dry)


def _described(node: Node, scope: Scope) -> Any:
    try:
        return describe(node, scope)
    except (PlatformError, ValidationError):
        return None


def earliest(moments: Iterable[datetime | None], default: datetime) -> datetime:
    """The first moment at which something is due."""
    return min((moment for moment in moments if moment is not None), default=default)
