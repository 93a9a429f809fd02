"""Messages in Slack: by incoming webhook, or by a bot's `chat.postMessage`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from rules.notify.answers import json_of, quoted, retry_after_s
from rules.notify.message_templates import Filled, fill, fill_title
from rules.notify.notification import (
    FIRING,
    Channel,
    DeliveryFailed,
    DeliveryRefused,
    InvalidReceiver,
    Notification,
    Receipt,
)
from rules.notify.posting import Content, Poster
from rules.notify.receivers.slack.config import SlackConfig, SlackSecrets
from rules.notify.requesting import HttpChannel, Outgoing, to_json
from rules.notify.texts import SLACK, cut, links, paragraphs

MAX_SECTION: Final = 3_000
MAX_BLOCKS: Final = 50
MAX_TITLE: Final = 500
COLOURS: Final = {True: "#d00000", False: "#2eb67d"}
"""Of the bar beside the message, by whether anything fires."""
TEMPORARY: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
"""Errors of the API after which a later attempt may succeed."""


@dataclass(frozen=True, slots=True)
class SlackKind:
    """`slack`: a message in a channel."""

    poster: Poster
    api_url: str = "https://slack.com/api"

    name: ClassVar[str] = "slack"
    config: ClassVar = SlackConfig
    secrets: ClassVar = SlackSecrets

    def open(self, config: SlackConfig, secrets: SlackSecrets) -> Channel:
        """A channel by webhook or by bot."""
        if (secrets.webhook_url is None) == (secrets.token is None):
            raise InvalidReceiver({"secrets": "needs either `webhook_url` or `token`"})
        if secrets.token and not config.channel:
            raise InvalidReceiver({"config.channel": "a bot needs to know its channel"})
        if secrets.webhook_url and config.channel:
            raise InvalidReceiver({"config.channel": "an incoming webhook has its own channel"})
        compose = partial(outgoing, config, self.api_url)
        return HttpChannel(self.poster, secrets, compose, accepted)


def outgoing(
    config: SlackConfig, api_url: str, notification: Notification, secrets: SlackSecrets
) -> Outgoing:
    """The request of a notification."""
    document, faults = message_of(config, notification)
    if secrets.token is None:
        return Outgoing(secrets.webhook_url or "", to_json(document), faults=faults)
    document = {"channel": config.channel, **document}
    headers = {"Authorization": f"Bearer {secrets.token}"}
    return Outgoing(
        f"{api_url}/chat.postMessage", to_json(document), "application/json; charset=utf-8", headers, faults
    )


def message_of(config: SlackConfig, notification: Notification) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The message with its sections, within Slack's limits, and the faults of its templates.

    Labels in our own words cannot mention anybody: `<` and `&` are escaped.
    """
    title = fill_title(config, notification)
    shown_title = title.text if config.title and not title.fault else SLACK.escape(title.text)
    text = fill("text", config.text, notification, str)
    faults = (*title.faults, *text.faults)
    parts = _alerts(notification) if _ours(config, text) else _pieces(text.text)
    parts += [cut(" · ".join(links(notification, SLACK)), MAX_SECTION)] if _ours(config, text) else []
    parts += [cut(SLACK.escape(fault), MAX_SECTION) for fault in faults]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts]
    colour = COLOURS[notification.state == FIRING]
    document = {
        "text": SLACK.bold(cut(shown_title, MAX_TITLE)),
        "attachments": [
            {"color": colour, "fallback": cut(title.text, MAX_TITLE), "blocks": blocks},
        ],
    }
    return document, faults


def _ours(config: SlackConfig, text: Filled) -> bool:
    return config.text is None or bool(text.fault)


def _alerts(notification: Notification) -> list[str]:
    """A section an alert; room is left for what is missing, the links and the faults."""
    every = paragraphs(notification, SLACK)
    listed = [cut(part, MAX_SECTION) for part in every[: MAX_BLOCKS - 4]]
    missing = len(every) - len(listed) + notification.truncated
    return listed + ([f"… and {missing} more alerts"] if missing else [])


def _pieces(text: str) -> list[str]:
    """A user's text in as many sections as it needs. Templates yield no more than fits."""
    pieces = (text[start : start + MAX_SECTION] for start in range(0, len(text), MAX_SECTION))
    return [piece for piece in pieces if piece.strip()]  # Slack takes no empty section


def accepted(answer: Content) -> Receipt:
    """`ok` of a webhook, or the API's word, which has the status 200 for errors too."""
    said = json_of(answer)
    if not said:
        return Receipt(f"HTTP {answer.status} {quoted(answer)}".strip())
    if said.get("ok") is True:
        return Receipt(f"ok, channel {said.get('channel', '?')}, ts {said.get('ts', '?')}"[:500])
    reason = f"Slack says {str(said.get('error', 'not ok'))[:200]}"
    if said.get("error") in TEMPORARY:
        raise DeliveryFailed(reason, retry_after_s=retry_after_s(answer))
    raise DeliveryRefused(reason)
