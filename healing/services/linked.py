"""Approving by a link of a message: the link says what is asked, the person says who they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import authenticate

from alertsite.audit.services import Author
from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import User
from alertsite.tenancy.scope import tenant_scope
from alertsite.web.credentials import WRITE, credential_of_user
from healing.models import HealingRun
from healing.services.approving import Said, vote
from healing.services.links import ApprovalLink, read_link
from healing.services.storytelling import story_of
from rules.services.links import InvalidLink


class NotAllowed(PlatformError):
    """Name and password are not known, or belong to nobody who may approve here."""

    code = "healing.not_allowed"


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link is about."""

    link: ApprovalLink
    run: HealingRun
    story: dict[str, Any]

    @property
    def asks(self) -> bool:
        """Whether the run still asks what the link showed."""
        shown = (self.link.subject, self.link.plan_hash)
        return self.run.state == "awaiting" and (self.run.subject, self.run.plan_hash) == shown


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody entered."""

    username: str
    password: str
    approves: bool


def open_link(token: str) -> Linked:
    """What a link is about. Changes nothing.

    Raises
    ------
    InvalidLink
    """
    link = read_link(token)
    with tenant_scope(link.tenant_id):
        run = HealingRun.objects.for_tenant(link.tenant_id).filter(pk=link.run_id).first()
        if run is None:
            raise InvalidLink("gone", "the run of this link is gone")
        return Linked(link, run, story_of(run))


def answer(linked: Linked, given: Answer, *, now: datetime) -> HealingRun:
    """Hear whoever signs in.

    Raises
    ------
    NotAllowed, VoteRefused
    """
    user = authenticate(username=given.username, password=given.password)
    if not isinstance(user, User) or not _may_approve(user, linked.link):
        raise NotAllowed("name and password are not those of somebody who may approve this")
    said = Said(given.approves, "by link", linked.link.subject, linked.link.plan_hash)
    with tenant_scope(linked.link.tenant_id):
        author = Author(user.get_username(), now)
        return vote(linked.link.tenant_id, linked.run.pk, said, author, is_person=True)


def _may_approve(user: User, link: ApprovalLink) -> bool:
    credential = credential_of_user(user)
    grants = credential.grants.values()
    mine = any(one.tenant_id == link.tenant_id and WRITE in one.scopes for one in grants)
    return credential.platform or mine
