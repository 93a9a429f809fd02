"""Playbooks as they are stored: each save is a version, and only a person arms one.

Refused, with line and column: a text that does not compile. A version that was not armed rehearses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.db import transaction
from django_celery_beat.models import PeriodicTask

from alertsite.audit.services import Author, Deed, record
from alertsite.core.errors import Conflict
from healing.models import Playbook, PlaybookVersion
from healing.playbooks.errors import InvalidPlaybook
from healing.playbooks.planner import Plan, compile_playbook
from healing.playbooks.schema import ScheduleTerms
from healing.services.beatrows import Struck, row_of_beat
from healing.services.people import check_person
from rules.alerts.yaml_nodes import Problem
from rules.services import selfalerts

START_SCHEDULED: Final = "healing.tasks.healing.start_scheduled"
"""Task that beat sends, known here by name: services do not import tasks."""
BREAKER_ALERT: Final = "HealingBreakerOpen"


@lru_cache(maxsize=512)
def compiled(text: str) -> Plan:
    """The plan of a text; remembered, since many runs share one.

    Raises
    ------
    InvalidPlaybook
    """
    return compile_playbook(text)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person decides about a playbook."""

    text: str
    enabled: bool = True


def save_playbook(playbook: Playbook, draft: Draft, author: Author) -> Playbook:
    """Store a new or changed playbook. Another content is another version, which nobody has armed.

    Raises
    ------
    InvalidPlaybook, ValidationError
        Nothing is stored then.
    """
    plan = compiled(draft.text)
    with transaction.atomic():
        _take_terms(playbook, plan, draft, author)
        playbook.full_clean(exclude=["version", "periodic_task"])
        playbook.periodic_task = _row_of_beat(playbook, plan.playbook.trigger.schedule)
        playbook.save()
        detail: dict[str, Any] = {"name": playbook.name, "enabled": playbook.enabled}
        if _is_new_content(playbook, plan, draft):
            version = _add_version(playbook, plan, draft, author)
            detail |= {"version": version.number, "digest": version.digest}
        _record(playbook, "saved", detail, author)
    return playbook


def _take_terms(playbook: Playbook, plan: Plan, draft: Draft, author: Author) -> None:
    terms = plan.playbook
    playbook.name, playbook.enabled = terms.playbook, draft.enabled
    playbook.trigger_kind = terms.trigger.kind
    playbook.next_due_at = author.now if terms.trigger.prediction else None
    if playbook._state.adding:
        playbook.created_at = playbook.leased_until = author.now


def _is_new_content(playbook: Playbook, plan: Plan, draft: Draft) -> bool:
    known = playbook.version
    return known is None or known.digest != plan.playbook.digest or known.text != draft.text


def _add_version(playbook: Playbook, plan: Plan, draft: Draft, author: Author) -> PlaybookVersion:
    before = playbook.version
    rows = PlaybookVersion.objects.for_tenant(playbook.tenant_id)
    last = rows.filter(playbook=playbook).order_by("-number").first()
    version: PlaybookVersion = rows.create(
        tenant_id=playbook.tenant_id,
        playbook=playbook,
        number=last.number + 1 if last else 1,
        text=draft.text,
        digest=plan.playbook.digest,
        author=author.name,
        created_at=author.now,
    )
    playbook.version = version
    if before is None or before.digest != version.digest:
        playbook.armed_by, playbook.armed_at = "", None
        playbook.holding = {}
    playbook.save()
    return version


def delete_playbook(playbook: Playbook, author: Author) -> None:
    """Remove a playbook. Its runs stay, and those under way go on to their ends.

    Raises
    ------
    Conflict
        If a run is under way: it is cancelled first.
    """
    with transaction.atomic():
        if playbook.runs(manager="across_tenants").filter(finished_at=None).exists():
            raise Conflict(f"runs of playbook {playbook.name!r} are under way: cancel them first")
        _record(playbook, "deleted", {"name": playbook.name}, author)
        row = playbook.periodic_task
        playbook.delete()
        if row is not None:
            row.delete()


def arm(playbook: Playbook, author: Author, *, is_person: bool) -> Playbook:
    """Let runs of the version that stands now act.

    Raises
    ------
    NotAPerson
    """
    check_person(author.name, is_person=is_person)
    return _set_armed(playbook, author, armed=True)


def disarm(playbook: Playbook, author: Author) -> Playbook:
    """Let it rehearse only. Runs under way go on."""
    return _set_armed(playbook, author, armed=False)


def _set_armed(playbook: Playbook, author: Author, *, armed: bool) -> Playbook:
    with transaction.atomic():
        held: Playbook = (
            Playbook.objects.for_tenant(playbook.tenant_id).select_for_update().get(pk=playbook.pk)
        )
        if armed and held.version_id != playbook.version_id:
            raise Conflict("the playbook was saved anew since it was looked at")
        held.armed_by, held.armed_at = (author.name, author.now) if armed else ("", None)
        held.save(update_fields=["armed_by", "armed_at"])
        detail = {"name": held.name, "version": held.version.number if held.version else 0}
        _record(held, "armed" if armed else "disarmed", detail, author)
    return held


def reset_breaker(playbook: Playbook, author: Author, *, is_person: bool) -> Playbook:
    """Let a playbook that failed too often start again.

    Raises
    ------
    NotAPerson
    """
    check_person(author.name, is_person=is_person)
    with transaction.atomic():
        held: Playbook = (
            Playbook.objects.for_tenant(playbook.tenant_id).select_for_update().get(pk=playbook.pk)
        )
        held.failures, held.breaker_opened_at = 0, None
        held.save(update_fields=["failures", "breaker_opened_at"])
        _record(held, "breaker_reset", {"name": held.name}, author)
        selfalerts.end(held.tenant_id, BREAKER_ALERT, {"playbook": held.name}, now=author.now)
    return held


def _held(playbook: Playbook) -> Playbook:
    """The row as it is now, locked."""
    rows = Playbook.objects.for_tenant(playbook.tenant_id).select_for_update(of=("self",))
    found: Playbook = rows.select_related("version").get(pk=playbook.pk)
    return found


def problems_of(text: str) -> list[Problem]:
    """Every fault of a text; none if it can be saved."""
    try:
        compile_playbook(text)
    except InvalidPlaybook as error:
        return list(error.problems)
    return []


def _row_of_beat(playbook: Playbook, terms: ScheduleTerms | None) -> PeriodicTask | None:
    """The row of beat, made, changed or removed."""
    row = playbook.periodic_task
    if terms is None:
        if row is not None:
            playbook.periodic_task = None
            row.delete()
        return None
    struck = Struck(START_SCHEDULED, "playbook", playbook.pk, playbook.name, playbook.enabled)
    return row_of_beat(row, terms, struck)


def _record(playbook: Playbook, what: str, detail: Mapping[str, Any], author: Author) -> None:
    deed = Deed(author.name, f"playbook.{what}", f"playbook:{playbook.pk}", detail)
    record(playbook.tenant_id, deed, at=author.now)
