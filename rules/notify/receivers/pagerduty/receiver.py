"""Events in PagerDuty by its Events API v2: one incident a group of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, ClassVar, Final

from rules.notify.answers import json_of
from rules.notify.message_templates import fill, fill_title
from rules.notify.notification import ACKNOWLEDGED, RESOLVED, Channel, Notification, Receipt
from rules.notify.posting import Content, Poster
from rules.notify.receivers.pagerduty.config import PagerDutyConfig, PagerDutySecrets
from rules.notify.requesting import HttpChannel, Outgoing, to_json
from rules.notify.severity import severity_of
from rules.notify.texts import PLAIN, bounded_labels, cut, default_text, is_web

MAX_SUMMARY: Final = 1_024
MAX_TEXT: Final = 30_000
"""An event may have 512 kB, in which a character may take twelve bytes."""
MAX_LABELS: Final = 8_000
MAX_NAME: Final = 250
HOSTS: Final = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}


@dataclass(frozen=True, slots=True)
class PagerDutyKind:
    """`pagerduty`: triggers, acknowledges and resolves an incident."""

    poster: Poster
    api_url: str = ""
    """Instead of that of the region."""

    name: ClassVar[str] = "pagerduty"
    acknowledges: ClassVar[bool] = True
    config: ClassVar = PagerDutyConfig
    secrets: ClassVar = PagerDutySecrets

    def open(self, config: PagerDutyConfig, secrets: PagerDutySecrets) -> Channel:
        """A channel to one integration."""
        url = self.api_url or HOSTS[config.region]
        return HttpChannel(self.poster, secrets, partial(outgoing, config, url), accepted)


def outgoing(
    config: PagerDutyConfig, api_url: str, notification: Notification, secrets: PagerDutySecrets
) -> Outgoing:
    """The event of a notification. All of a group have one key, so that its end resolves its incident."""
    title = fill_title(config, notification)
    default = partial(default_text, notification, PLAIN, MAX_TEXT)
    text = fill("text", config.text, notification, default)
    faults = (*title.faults, *text.faults)
    event: dict[str, Any] = {
        "routing_key": secrets.routing_key,
        "event_action": action_of(notification),
        "dedup_key": dedup_key(notification),
    }
    if event["event_action"] == "trigger":
        event |= _details(config, notification, title.text, "\n".join([text.text, *faults]))
    return Outgoing(f"{api_url}/v2/enqueue", to_json(event), faults=faults)


def action_of(notification: Notification) -> str:
    """`resolve` once nothing fires, `acknowledge` when the message says so, else `trigger`."""
    if notification.state == RESOLVED:
        return "resolve"
    return "acknowledge" if notification.reason == ACKNOWLEDGED else "trigger"


def dedup_key(notification: Notification) -> str:
    """The same for all messages of a group, unlike that of any other tenant's or receiver's."""
    parts = (notification.tenant, notification.receiver, notification.group_key)
    return sha256("\0".join(parts).encode()).hexdigest()


def _details(config: PagerDutyConfig, notification: Notification, title: str, text: str) -> dict[str, Any]:
    common = notification.common_labels
    links = {"Open": notification.url} | {
        name.capitalize(): url for name, url in notification.actions.items()
    }
    return {
        "client": "alertsite",
        "client_url": notification.url,
        "links": [{"href": url, "text": name} for name, url in links.items() if is_web(url)],
        "payload": {
            "summary": cut(title, MAX_SUMMARY),
            "source": cut(common.get("instance") or notification.tenant, MAX_NAME),
            "severity": severity_of(notification, config.severities, config.default_severity),
            "timestamp": notification.alerts[0].starts_at,
            "class": cut(common.get("alertname", ""), MAX_NAME),
            "custom_details": {
                "text": cut(text, MAX_TEXT),
                "labels": bounded_labels(common, MAX_LABELS),
                "alerts": len(notification.alerts) + notification.truncated,
            },
        },
    }


def accepted(answer: Content) -> Receipt:
    """PagerDuty repeats the key."""
    return Receipt(f"HTTP {answer.status}, dedup_key {json_of(answer).get('dedup_key', '?')}"[:500])
