"""Silences: made by whoever the credential says, approved where that is asked for, ended, never deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from rules.models import Silence
from rules.services.authoring import Author
from rules.services.routing import terms_of

_TERMS: Final = ("matchers", "starts_at", "recurrence", "duration_s", "timezone", "kind")
"""What changes which alerts are silent, apart from the end."""


class InvalidSilence(PlatformError):
    """A silence cannot be saved, or not be changed like this. `errors` has a reason for each field."""

    code = "silence.invalid"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class SilenceDraft:
    """What a person decides about a silence."""

    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    comment: str
    kind: str = Silence.Kind.SILENCE
    recurrence: str = ""
    duration_s: int | None = None
    timezone: str = "UTC"
    ticket: str = ""
    needs_approval: bool = False


def create_silence(tenant_id: UUID, draft: SilenceDraft, author: Author) -> Silence:
    """Store a new silence.

    Raises
    ------
    InvalidSilence
        Nothing is stored then.
    """
    silence = Silence(tenant_id=tenant_id, author=author.name, updated_at=author.now, **_values(draft))
    _check(silence, author.now)
    with transaction.atomic():
        silence.save(force_insert=True)
        _record(silence, "silence.created", author)
    return silence


def check_draft(tenant_id: UUID, draft: SilenceDraft) -> None:
    """Whether a silence can be made of it.

    Raises
    ------
    InvalidSilence
    """
    _check(Silence(tenant_id=tenant_id, **_values(draft)), draft.starts_at)


def change_silence(silence: Silence, draft: SilenceDraft, author: Author) -> Silence:
    """Change a silence: its end, its comment and its ticket in place; anything else, or one that is over,
    makes a new one and ends the old, as in Alertmanager, so that history stays true.
    """
    values = _values(draft)
    started = silence.starts_at <= author.now
    moved = [name for name in _TERMS if getattr(silence, name) != values[name]]
    if moved == ["starts_at"] and started and draft.starts_at <= author.now:
        moved, values["starts_at"] = [], silence.starts_at
    if (moved and started) or silence.ends_at <= author.now:
        with transaction.atomic():
            if silence.ends_at > author.now:
                expire_silence(silence, author)
            return create_silence(silence.tenant_id, draft, author)
    for name, value in values.items():
        setattr(silence, name, value)
    silence.updated_at = author.now
    if moved:  # what was approved is another silence now
        silence.approved_by, silence.approved_at = "", None
    _check(silence, author.now)
    with transaction.atomic():
        silence.save()
        _record(silence, "silence.changed", author)
    return silence


def expire_silence(silence: Silence, author: Author) -> Silence:
    """End a silence now. One that is over stays as it is."""
    if silence.ends_at <= author.now:
        return silence
    silence.ends_at = author.now
    silence.starts_at = min(silence.starts_at, author.now)
    silence.updated_at = author.now
    with transaction.atomic():
        silence.save(update_fields=["starts_at", "ends_at", "updated_at"])
        _record(silence, "silence.expired", author)
    return silence


def approve_silence(silence: Silence, author: Author) -> Silence:
    """Let a silence that needs approval work. Not by its author.

    Raises
    ------
    InvalidSilence
        If it needs none, has one, or the approver is its author.
    """
    if not silence.needs_approval or silence.approved_at is not None:
        raise InvalidSilence({"approved_by": "the silence needs no approval, or has it"})
    if silence.author == author.name:
        raise InvalidSilence({"approved_by": f"{author.name} wrote the silence; somebody else approves it"})
    silence.approved_by, silence.approved_at, silence.updated_at = author.name, author.now, author.now
    with transaction.atomic():
        silence.save(update_fields=["approved_by", "approved_at", "updated_at"])
        _record(silence, "silence.approved", author)
    return silence


def _values(draft: SilenceDraft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in SilenceDraft.__dataclass_fields__}


def _check(silence: Silence, now: datetime) -> None:
    errors: dict[str, str] = {}
    if not silence.matchers:
        errors["matchers"] = "at least one is needed"
    if silence.ends_at <= silence.starts_at:
        errors["ends_at"] = f"{silence.ends_at.isoformat()} is not after starts_at"
    elif silence.ends_at <= now:
        errors["ends_at"] = f"{silence.ends_at.isoformat()} is in the past"
    if not silence.comment.strip():
        errors["comment"] = "a reason is needed"
    if silence.recurrence and not silence.duration_s:
        errors["duration_s"] = "a recurring silence needs the duration of each occurrence"
    if errors:
        raise InvalidSilence(errors)
    try:
        terms = terms_of(silence)
        if terms.recurrence is not None:
            terms.recurrence.check(terms.starts_ms)
    except PlatformError as error:
        raise InvalidSilence(
            {"recurrence" if "recurrence" in error.code else "matchers": str(error)}
        ) from None
    if all(matcher.matches({}) for matcher in terms.matchers):
        raise InvalidSilence({"matchers": "every alert would match: one at least must ask for something"})


def _record(silence: Silence, deed: str, author: Author) -> None:
    detail = {
        "matchers": silence.matchers,
        "ends_at": silence.ends_at.isoformat(),
        "comment": silence.comment,
    }
    record(silence.tenant_id, Deed(author.name, deed, f"silence:{silence.pk}", detail), at=author.now)
