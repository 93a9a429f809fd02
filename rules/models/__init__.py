"""Tables of rules, their evaluation, alerts, notifications and archived series."""

from rules.models.alert import AlertInstance, AlertTransition
from rules.models.archive import SeriesBlock
from rules.models.datasource import Datasource
from rules.models.delivery import DeliveryAttempt, OutboxMessage, Receiver
from rules.models.ledger import LedgerEntry, Shard, ShardLayout, Wake
from rules.models.rule import Rule, RuleGroup, RuleVersion

__all__ = [
    "AlertInstance",
    "AlertTransition",
    "Datasource",
    "DeliveryAttempt",
    "LedgerEntry",
    "OutboxMessage",
    "Receiver",
    "Rule",
    "RuleGroup",
    "RuleVersion",
    "SeriesBlock",
    "Shard",
    "ShardLayout",
    "Wake",
]
