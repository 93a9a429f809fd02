"""Telling people: requests for approval, pages, messages of steps. All go out as messages of the outbox."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from alertsite.core.errors import PlatformError
from alertsite.core.labels import fingerprint, label_set
from healing.models import HealingRun, HealingStep, Playbook
from healing.services.links import approval_link
from healing.services.playbooks import BREAKER_ALERT
from rules.models import AlertTransition, Origin, OutboxMessage, Receiver, ToldAlert
from rules.services import selfalerts
from rules.services.nudging import nudge_deliveries_after_commit

APPROVAL: Final = "HealingApproval"
PERSON: Final = "HealingNeedsPerson"
NOTICE: Final = "HealingNotice"
OWN: Final = frozenset({APPROVAL, PERSON, NOTICE, BREAKER_ALERT})
"""Alerts of healing itself, which start no playbook."""
_SPACE: Final = uuid.UUID("7b0a7f61-4a6f-4f0b-8a51-0c7a5b1a6f10")


class UnknownReceiver(PlatformError):
    """A step names a receiver that the tenant does not have."""

    code = "healing.unknown_receiver"


def _labels(run: HealingRun) -> dict[str, str]:
    return {"playbook": run.playbook_name, "run": str(run.pk)}


def ask(run: HealingRun, what: str, *, now: datetime) -> None:
    """Ask people to approve. The link shows what is asked; who follows it says who they are."""
    people = "one person" if run.needed == 1 else f"{run.needed} people"
    summary = f"{what} needs the approval of {people}. Approve or reject: {approval_link(run)}"
    selfalerts.begin(run.tenant_id, APPROVAL, _labels(run), summary, now=now)


def end_asking(run: HealingRun, *, now: datetime) -> None:
    """Nobody is asked any more."""
    selfalerts.end(run.tenant_id, APPROVAL, _labels(run), now=now)


def page(run: HealingRun, why: str, *, now: datetime) -> None:
    """Call a person."""
    selfalerts.begin(run.tenant_id, PERSON, _labels(run), f"Playbook {run.playbook_name}: {why}", now=now)


def end_page(run: HealingRun, *, now: datetime) -> None:
    """A person came."""
    selfalerts.end(run.tenant_id, PERSON, _labels(run), now=now)


def page_breaker(playbook: Playbook, *, now: datetime) -> None:
    """Call a person: a playbook failed too often."""
    summary = f"Playbook {playbook.name} failed {playbook.failures} times in a row and starts nothing more."
    selfalerts.begin(playbook.tenant_id, BREAKER_ALERT, {"playbook": playbook.name}, summary, now=now)


def send(run: HealingRun, step: HealingStep, receiver_name: str, text: str, *, now: datetime) -> None:
    """Owe a receiver the message of a step. The same step owes it once.

    Raises
    ------
    UnknownReceiver
    """
    receiver = Receiver.objects.for_tenant(run.tenant_id).filter(name=receiver_name).first()
    if receiver is None:
        raise UnknownReceiver(f"the tenant has no receiver {receiver_name!r}")
    key = f"healing:{step.pk.hex}"
    labels = {"alertname": NOTICE, **_labels(run)}
    notice = AlertTransition.objects.for_tenant(run.tenant_id).create(
        id=uuid.uuid5(_SPACE, key),
        tenant_id=run.tenant_id,
        alert_id=uuid.uuid5(_SPACE, f"{key}/alert"),
        origin=Origin.PLATFORM,
        rule_version=0,
        previous=AlertTransition.State.INACTIVE,
        state=AlertTransition.State.FIRING,
        at=now,
        fired_at=now,
        fingerprint=fingerprint(label_set(labels)),
        labels=labels,
        annotations={"summary": text},
        trace={"reason": "healing", "run": str(run.pk), "step": step.key},
    )
    message = OutboxMessage.objects.for_tenant(run.tenant_id).create(
        id=uuid.uuid5(_SPACE, f"{key}/message"),
        tenant_id=run.tenant_id,
        receiver=receiver,
        group_key=f"healing:{run.pk}",
        group_labels=labels,
        reason="healing",
        idempotency_key=key,
        created_at=now,
        next_attempt_at=now,
        leased_until=now,
    )
    ToldAlert.objects.for_tenant(run.tenant_id).create(
        tenant_id=run.tenant_id, message=message, transition=notice, alert_id=notice.alert_id
    )
    nudge_deliveries_after_commit()
