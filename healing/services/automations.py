"""Automations as they are stored: what each looks after, and whether it may act.

Refused: terms that do not read, a playbook that is not there, and what concerns the platform itself outside
the operator's tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django_celery_beat.models import PeriodicTask

from alertsite.audit.services import Author, Deed, record
from alertsite.core.errors import Conflict, InvalidParameter
from healing.automation.terms import MaintainTerms, ScaleTerms, Terms, TuneTerms, read_terms
from healing.models import Automation, Playbook
from healing.services.beatrows import Struck, row_of_beat
from healing.services.people import check_person
from healing.services.proposals import orphan
from rules.services.operators import operators_tenant

REQUEST_MAINTENANCE: Final = "healing.tasks.automation.request_maintenance"
"""Task that beat sends, known here by name: services do not import tasks."""
OF_THE_PLATFORM: Final = frozenset({"backup", "restore_drill"})
"""Jobs that touch every tenant's rows."""
_LIVE: Final = (
    "armed_by", "armed_at", "next_due_at", "leased_until", "fencing_token", "tally", "fault", "created_at"
)  # fmt: skip
"""What others write meanwhile: a person who disarms, a worker who looks."""


def terms_of(automation: Automation) -> Terms:
    """What it is told.

    Raises
    ------
    InvalidParameter
        If an older release wrote what this one refuses.
    """
    return read_terms(automation.kind, automation.terms)


def is_of_the_platform(automation: Automation) -> bool:
    """Whether it concerns more than its tenant."""
    terms = terms_of(automation)
    return isinstance(terms, TuneTerms) or (isinstance(terms, MaintainTerms) and terms.job in OF_THE_PLATFORM)


def was_of_the_platform(automation: Automation) -> bool:
    """Whether it concerns more than its tenant as it is stored now, whatever it is to be; so does one whose
    terms do not read any more, since nobody can tell.
    """
    stored = Automation.objects.for_tenant(automation.tenant_id).filter(pk=automation.pk).first()
    try:
        return stored is not None and is_of_the_platform(stored)
    except InvalidParameter:
        return True


def save_automation(automation: Automation, author: Author) -> Automation:
    """Store a new or changed automation. Other terms disarm it, and begin its tally anew.

    Raises
    ------
    InvalidParameter, ValidationError
        Nothing is stored then.
    """
    terms = check(automation)
    if automation._state.adding:
        automation.created_at = automation.leased_until = author.now
    with transaction.atomic():
        rows = Automation.objects.for_tenant(automation.tenant_id).select_for_update()
        before = rows.filter(pk=automation.pk).first()
        for name in _LIVE if before is not None else ():
            setattr(automation, name, getattr(before, name))
        if before is None or (before.kind, before.terms) != (automation.kind, automation.terms):
            automation.armed_by, automation.armed_at, automation.tally = "", None, {}
            automation.next_due_at = None if isinstance(terms, MaintainTerms) else author.now
        automation.full_clean(exclude=["periodic_task"])
        automation.periodic_task = _row_of_beat(automation, terms)
        automation.save()
        detail = {"name": automation.name, "kind": automation.kind, "enabled": automation.enabled}
        _record(automation, "saved", detail | {"terms": automation.terms}, author)
    return automation


def check(automation: Automation) -> Terms:
    """The terms, if this tenant may have them.

    Raises
    ------
    InvalidParameter
    """
    terms = terms_of(automation)
    _check_playbook(automation, terms)
    _check_place(automation, terms)
    return terms


def _check_playbook(automation: Automation, terms: Terms) -> None:
    name = getattr(terms, "playbook", "")
    if name and not Playbook.objects.for_tenant(automation.tenant_id).filter(name=name).exists():
        raise InvalidParameter("playbook", name, "the name of a playbook of this tenant")


def _check_place(automation: Automation, terms: Terms) -> None:
    if is_of_the_platform(automation) and automation.tenant_id != operators_tenant():
        raise InvalidParameter("kind", automation.kind, "this only in the tenant of HOST_METRICS_TENANT")
    if isinstance(terms, MaintainTerms) and terms.job in OF_THE_PLATFORM and not settings.BACKUP_DIR:
        raise InvalidParameter("job", terms.job, "this only where BACKUP_DIR is set")


def _row_of_beat(automation: Automation, terms: Terms) -> PeriodicTask | None:
    row = automation.periodic_task
    if isinstance(terms, MaintainTerms):
        struck = Struck(REQUEST_MAINTENANCE, "automation", automation.pk, automation.name, automation.enabled)
        return row_of_beat(row, terms, struck)
    if row is not None:
        row.delete()
    return None


def delete_automation(automation: Automation, author: Author) -> None:
    """Remove an automation. What it proposed stays; what still stands open of it has come to an end."""
    with transaction.atomic():
        orphan(automation, now=author.now)
        _record(automation, "deleted", {"name": automation.name}, author)
        row = automation.periodic_task
        automation.delete()
        if row is not None:
            row.delete()


def arm(automation: Automation, author: Author, *, is_person: bool) -> Automation:
    """Let it act on the terms that stand now.

    Raises
    ------
    NotAPerson, Conflict
    """
    check_person(author.name, is_person=is_person)
    return _set_armed(automation, author, armed=True)


def disarm(automation: Automation, author: Author) -> Automation:
    """Let it only say what it would do."""
    return _set_armed(automation, author, armed=False)


def _set_armed(automation: Automation, author: Author, *, armed: bool) -> Automation:
    with transaction.atomic():
        rows = Automation.objects.for_tenant(automation.tenant_id).select_for_update()
        held: Automation = rows.get(pk=automation.pk)
        if armed and held.terms != automation.terms:
            raise Conflict("the automation was saved anew since it was looked at")
        held.armed_by, held.armed_at = (author.name, author.now) if armed else ("", None)
        held.save(update_fields=["armed_by", "armed_at"])
        _record(held, "armed" if armed else "disarmed", {"name": held.name}, author)
    return held


def playbook_of(automation: Automation, terms: ScaleTerms | MaintainTerms) -> Playbook:
    """The playbook that it names.

    Raises
    ------
    InvalidParameter
        If it is gone.
    """
    rows = Playbook.objects.for_tenant(automation.tenant_id).select_related("version")
    playbook: Playbook | None = rows.filter(name=terms.playbook, enabled=True).first()
    if playbook is None:
        raise InvalidParameter("playbook", terms.playbook, "an enabled playbook of this tenant")
    return playbook


def _record(automation: Automation, what: str, detail: Mapping[str, Any], author: Author) -> None:
    deed = Deed(author.name, f"automation.{what}", f"automation:{automation.pk}", detail)
    record(automation.tenant_id, deed, at=author.now)
