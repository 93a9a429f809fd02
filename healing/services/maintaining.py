"""What is done by the clock: windows with their silences, backups, restore drills, playbooks.

Each time is a proposal that whoever armed the job approved beforehand: it says what was done, what was found
and how it ended. A worker that is lost is taken over: the silence is made once, a backup that was finished
is not made again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from alertsite.audit.services import Author
from alertsite.core.clock import Clock
from alertsite.core.errors import PlatformError
from healing.automation.terms import MaintainTerms
from healing.models import Automation, HealingRun, Proposal
from healing.services import proposals
from healing.services.automations import playbook_of
from healing.services.means import Means
from healing.services.proposals import Change
from healing.services.starting import Cause, start_for
from healing.services.stepbook import MILLISECOND
from rules.models import Silence
from rules.services import drilling, selfalerts
from rules.services.backing import MANIFEST, BackupFailed, back_up, read_manifest
from rules.services.silencing import SilenceDraft, create_silence

FAILED: Final = "MaintenanceFailed"
LONGEST: Final = timedelta(hours=1)
"""That a job is tried for when its workers are lost."""
_STAMP: Final = "%Y%m%dT%H%M%SZ"


def maintain(automation: Automation, terms: MaintainTerms, means: Means) -> Proposal | None:
    """Do what is due once. None if nothing is armed, or it is under way elsewhere."""
    proposal = _begun(automation, now=means.now) or _begin(automation, terms, now=means.now)
    if proposal is None or proposal.shadow:
        return None
    try:
        if terms.job == "playbook":
            return _started(automation, terms, proposal, now=means.now)
        detail, measured = _do(terms, proposal, means.clock)
    except PlatformError as error:
        return _ended(automation, proposal, Proposal.State.FAILED, str(error), now=means.now)
    proposal.measured = measured
    passed = measured.get("passed", True)
    state = Proposal.State.APPLIED if passed else Proposal.State.FAILED
    return _ended(automation, proposal, state, detail, now=means.now)


def _begun(automation: Automation, *, now: datetime) -> Proposal | None:
    """What a worker began that was lost; not what was begun too long ago to be worth another try."""
    rows = Proposal.objects.for_tenant(automation.tenant_id)
    found: Proposal | None = rows.filter(
        automation=automation, state=Proposal.State.APPROVED, run=None
    ).first()
    if found is not None and now - found.created_at > LONGEST:
        _ended(automation, found, Proposal.State.FAILED, f"not done within {LONGEST}", now=now)
        return None
    return found


def _begin(automation: Automation, terms: MaintainTerms, *, now: datetime) -> Proposal | None:
    """Write down that it is done, and silence what is to be silent meanwhile."""
    reason = f"the clock struck {terms.crontab} in {terms.timezone}"
    change = Change(automation.name[:200], "", f"{terms.job} {terms.playbook}".strip()[:200], reason)
    with transaction.atomic():
        made = proposals.propose(automation, change, shadow=not automation.armed, now=now)
        if made is None or made.shadow:
            return made
        author = Author(automation.armed_by, now)
        if terms.silence:
            ends_at = now + terms.duration * MILLISECOND
            draft = SilenceDraft(
                list(terms.silence), now, ends_at, automation.name, kind=Silence.Kind.MAINTENANCE
            )
            create_silence(automation.tenant_id, draft, author)
        return proposals.approve(made, author)


def _started(automation: Automation, terms: MaintainTerms, proposal: Proposal, *, now: datetime) -> Proposal:
    """Its run is an ordinary one; the proposal ends when it does.

    Raises
    ------
    InvalidParameter, NothingToRun
    """
    playbook = playbook_of(automation, terms)
    cause = Cause(HealingRun.Cause.SCHEDULE, f"proposal:{proposal.pk}", now, dict(terms.labels))
    proposal.run = start_for(playbook, cause, dry=not playbook.armed, now=now)
    proposal.save(update_fields=["run"])
    return proposal


def _do(terms: MaintainTerms, proposal: Proposal, clock: Clock) -> tuple[str, Mapping[str, Any]]:
    """What was done, in words and figures.

    Raises
    ------
    BackupFailed
    """
    if terms.job == "backup":
        return _backup(terms, proposal, Path(settings.BACKUP_DIR))
    if terms.job == "restore_drill":
        return _drill(Path(settings.BACKUP_DIR), clock)
    return f"alerts that match {', '.join(terms.silence)} are silent", {}


def _backup(terms: MaintainTerms, proposal: Proposal, directory: Path) -> tuple[str, Mapping[str, Any]]:
    place = directory / proposal.created_at.strftime(_STAMP)
    whole = (place / MANIFEST).exists()
    made = read_manifest(place) if whole else back_up(place, now=proposal.created_at)
    gone = [old.name for old in _backups(directory)[terms.keep :]]
    for name in gone:
        shutil.rmtree(directory / name)
    figures = {"rows": sum(made.rows.values()), "bytes": made.size, "sha256": made.sha256, "deleted": gone}
    return f"{place.name}: {figures['rows']} rows in {made.size} bytes", figures


def _drill(directory: Path, clock: Clock) -> tuple[str, Mapping[str, Any]]:
    """Restore the newest backup beside, and check the ledger, the outbox and the audit chains there."""
    known = _backups(directory)
    if not known:
        raise BackupFailed(f"no backup in {directory}")
    done = drilling.drill(known[0], clock)
    drilling.publish(done, clock)
    faults = [finding for finding in done.findings if finding.fault]
    said = "; ".join(f"{one.check}: {one.fault}" for one in faults) or f"{len(done.findings)} checks passed"
    figures = {
        "backup": known[0].name,
        "passed": done.passed,
        "seconds": done.seconds,
        "findings": [asdict(finding) for finding in done.findings],
    }
    return f"{known[0].name} restored in {done.seconds:.1f} s; {said}", figures


def _backups(directory: Path) -> list[Path]:
    """Whole backups of jobs, the newest first."""
    return sorted((found.parent for found in directory.glob(f"????????T??????Z/{MANIFEST}")), reverse=True)


def _ended(
    automation: Automation, proposal: Proposal, state: Proposal.State, detail: str, *, now: datetime
) -> Proposal:
    labels = {"automation": automation.name}
    with transaction.atomic():
        if state == Proposal.State.FAILED:
            selfalerts.begin(automation.tenant_id, FAILED, labels, f"{automation.name}: {detail}", now=now)
        else:
            selfalerts.end(automation.tenant_id, FAILED, labels, now=now)
        return proposals.end(proposal, state, detail, now=now)
