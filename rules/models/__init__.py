"""Tables of rules, their evaluation, alerts, notifications and archived series."""

from rules.models.alert import AlertInstance, AlertTransition, Origin
from rules.models.archive import SeriesBlock
from rules.models.datasource import Datasource
from rules.models.delivery import DeliveryAttempt, OutboxMessage, Receiver
from rules.models.group import (
    AggregationGroup,
    Escalation,
    EscalationStep,
    GroupedAlert,
    Suppression,
    ToldAlert,
)
from rules.models.handling import AlertAction, Feedback, Incident, IncidentAlert
from rules.models.intake import Heartbeat, InboundHook
from rules.models.ledger import LedgerEntry, Shard, ShardLayout, Size, Wake
from rules.models.oncall import OnCallOverride, OnCallSchedule, Person, Team
from rules.models.report import Report, ReportSchedule
from rules.models.routing import (
    EscalationPolicy,
    InhibitionRule,
    MuteTimeInterval,
    NotificationSettings,
    Route,
    Silence,
)
from rules.models.rule import Rule, RuleGroup, RuleVersion

__all__ = [
    "AggregationGroup",
    "AlertAction",
    "AlertInstance",
    "AlertTransition",
    "Datasource",
    "DeliveryAttempt",
    "Escalation",
    "EscalationPolicy",
    "EscalationStep",
    "Feedback",
    "GroupedAlert",
    "Heartbeat",
    "InboundHook",
    "Incident",
    "IncidentAlert",
    "InhibitionRule",
    "LedgerEntry",
    "MuteTimeInterval",
    "NotificationSettings",
    "OnCallOverride",
    "OnCallSchedule",
    "Origin",
    "OutboxMessage",
    "Person",
    "Receiver",
    "Report",
    "ReportSchedule",
    "Route",
    "Rule",
    "RuleGroup",
    "RuleVersion",
    "SeriesBlock",
    "Shard",
    "ShardLayout",
    "Silence",
    "Size",
    "Suppression",
    "Team",
    "ToldAlert",
    "Wake",
]
