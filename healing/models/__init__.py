"""Tables of playbooks, their runs, and what people allowed."""

from healing.models.approval import Approval
from healing.models.automation import Automation, HealingTally, Proposal
from healing.models.playbook import HealingPolicy, Playbook, PlaybookVersion
from healing.models.run import HealingCue, HealingRun
from healing.models.step import HealingCall, HealingStep

__all__ = [
    "Approval",
    "Automation",
    "HealingCall",
    "HealingCue",
    "HealingPolicy",
    "HealingRun",
    "HealingStep",
    "HealingTally",
    "Playbook",
    "PlaybookVersion",
    "Proposal",
]
