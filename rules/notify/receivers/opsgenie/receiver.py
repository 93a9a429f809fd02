"""Alerts in Opsgenie by its Alert API: one a group, acknowledged and closed with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, ClassVar, Final

from rules.notify.answers import json_of
from rules.notify.message_templates import fill, fill_title
from rules.notify.notification import ACKNOWLEDGED, RESOLVED, Channel, Notification, Receipt
from rules.notify.posting import Content, Poster
from rules.notify.receivers.opsgenie.config import OpsgenieConfig, OpsgenieSecrets, Priority
from rules.notify.requesting import HttpChannel, Outgoing, to_json
from rules.notify.severity import Level, severity_of
from rules.notify.texts import PLAIN, bounded_labels, cut, default_text

MAX_MESSAGE: Final = 130
MAX_DESCRIPTION: Final = 15_000
MAX_DETAILS: Final = 8_000
"""Characters of all names and values together."""
HOSTS: Final = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"}
PRIORITIES: Final[Mapping[Level, Priority]] = {
    "critical": "P1",
    "error": "P2",
    "warning": "P3",
    "info": "P5",
}


@dataclass(frozen=True, slots=True)
class OpsgenieKind:
    """`opsgenie`: creates, acknowledges and closes an alert."""

    poster: Poster
    api_url: str = ""
    """Instead of that of the region."""

    name: ClassVar[str] = "opsgenie"
    acknowledges: ClassVar[bool] = True
    config: ClassVar = OpsgenieConfig
    secrets: ClassVar = OpsgenieSecrets

    def open(self, config: OpsgenieConfig, secrets: OpsgenieSecrets) -> Channel:
        """A channel to one account."""
        url = self.api_url or HOSTS[config.region]
        return HttpChannel(self.poster, secrets, partial(outgoing, config, url), accepted)


def outgoing(
    config: OpsgenieConfig, api_url: str, notification: Notification, secrets: OpsgenieSecrets
) -> Outgoing:
    """Create the alert of the group, acknowledge it or, when nothing fires any more, close it."""
    headers = {"Authorization": f"GenieKey {secrets.api_key}"}
    title = fill_title(config, notification)
    default = partial(default_text, notification, PLAIN, MAX_DESCRIPTION)
    text = fill("text", config.text, notification, default)
    faults = (*title.faults, *text.faults)
    alias = alias_of(notification)
    if notification.state == RESOLVED:
        note = cut(text.text, MAX_DESCRIPTION, ending="".join(f"\n{fault}" for fault in faults))
        url = f"{api_url}/v2/alerts/{alias}/close?identifierType=alias"
        body = to_json({"source": "alertsite", "note": note})
    elif notification.reason == ACKNOWLEDGED:
        url = f"{api_url}/v2/alerts/{alias}/acknowledge?identifierType=alias"
        body = to_json({"source": "alertsite", "note": notification.url})
    else:
        url = f"{api_url}/v2/alerts"
        body = to_json(_alert(config, notification, title.text, "\n".join([text.text, *faults])))
    return Outgoing(url, body, headers=headers, faults=faults)


def alias_of(notification: Notification) -> str:
    """The same for all messages of a group, and fit for an address."""
    parts = (notification.tenant, notification.receiver, notification.group_key)
    return sha256("\0".join(parts).encode()).hexdigest()


def _alert(config: OpsgenieConfig, notification: Notification, title: str, text: str) -> dict[str, Any]:
    level = severity_of(notification, {}, "error")
    return {
        "message": cut(title, MAX_MESSAGE),
        "alias": alias_of(notification),
        "description": cut(text, MAX_DESCRIPTION),
        "responders": [responder.model_dump() for responder in config.responders],
        "tags": config.tags,
        "details": bounded_labels(notification.common_labels, MAX_DETAILS),
        "source": "alertsite",
        "priority": {**PRIORITIES, **config.priorities}[level],
    }


def accepted(answer: Content) -> Receipt:
    """Opsgenie takes a request, and names it."""
    return Receipt(f"HTTP {answer.status}, request {json_of(answer).get('requestId', '?')}"[:500])
