"""Whether a person's yes counts, and whether enough people said it.

In: what is to be approved and the votes so far. Out: a named reason. A vote counts for one run, one plan
and one subject; not from the author of the playbook, not from whoever started the run, not from a machine,
not twice, not too late. One no is the end.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class VoteReason(enum.StrEnum):
    """What became of a vote."""

    COUNTED = "counted"
    NOT_WAITING = "not_waiting"
    NOT_A_PERSON = "not_a_person"
    AUTHOR = "author"
    STARTER = "starter"
    TWICE = "twice"
    EXPIRED = "expired"
    OTHER_PLAN = "other_plan"


class QuorumReason(enum.StrEnum):
    """Where an approval stands."""

    APPROVED = "approved"
    WAITING = "waiting"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be approved.

    Attributes
    ----------
    subject
        Empty for the whole plan, else the key of a step.
    plan_hash
        Of what would be done (`plan_hash`); a vote for another counts nothing.
    """

    run: str
    subject: str
    plan_hash: str
    needed: int
    expires_ms: int
    authors: frozenset[str] = frozenset()
    starter: str = ""


@dataclass(frozen=True, slots=True)
class Vote:
    """What somebody said. `spent` once it has let a run go on."""

    run: str
    subject: str
    plan_hash: str
    person: str
    approves: bool
    at_ms: int
    is_person: bool = True
    spent: bool = False


def judge(vote: Vote, request: Request | None, earlier: Sequence[Vote]) -> VoteReason:
    """Whether a vote counts."""
    if request is None or (vote.run, vote.subject) != (request.run, request.subject):
        return VoteReason.NOT_WAITING
    if vote.plan_hash != request.plan_hash:
        return VoteReason.OTHER_PLAN
    if vote.at_ms >= request.expires_ms:
        return VoteReason.EXPIRED
    if not vote.is_person:
        return VoteReason.NOT_A_PERSON
    if any(one.person == vote.person for one in earlier if _is_about(one, request)):
        return VoteReason.TWICE
    return _standing(vote, request)


def _standing(vote: Vote, request: Request) -> VoteReason:
    """Who may not say yes may still say no."""
    if vote.approves and vote.person in request.authors:
        return VoteReason.AUTHOR
    if vote.approves and vote.person == request.starter:
        return VoteReason.STARTER
    return VoteReason.COUNTED


def quorum(request: Request, votes: Sequence[Vote], *, now_ms: int) -> QuorumReason:
    """Where the approval stands. Each vote is judged anew, whatever was thought of it when it came."""
    mine = sorted((one for one in votes if _is_about(one, request)), key=lambda one: one.at_ms)
    counted: list[Vote] = []
    for vote in mine:
        if not vote.spent and judge(vote, request, counted) is VoteReason.COUNTED:
            counted.append(vote)
    if any(not vote.approves for vote in counted):
        return QuorumReason.REJECTED
    if len({vote.person for vote in counted}) >= request.needed:
        return QuorumReason.APPROVED
    return QuorumReason.EXPIRED if now_ms >= request.expires_ms else QuorumReason.WAITING


def _is_about(vote: Vote, request: Request) -> bool:
    return (vote.run, vote.subject, vote.plan_hash) == (request.run, request.subject, request.plan_hash)


def plan_hash(*parts: Any) -> str:
    """SHA-256 of what would be done: the playbook's digest, the trigger, the inputs."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
