"""Messages in Discord, by the webhook of a channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from rules.notify.answers import json_of
from rules.notify.message_templates import fill, fill_title
from rules.notify.notification import FIRING, Channel, Notification, Receipt
from rules.notify.posting import Content, Poster
from rules.notify.receivers.discord.config import DiscordConfig, DiscordSecrets
from rules.notify.requesting import HttpChannel, Outgoing, to_json
from rules.notify.texts import MARKDOWN, cut, default_text, is_web, utf16_units

MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 4_096
MAX_FOOTER: Final = 1_000
"""Discord takes 2,048, and 6,000 characters in all."""
COLOURS: Final = {True: 0xD00000, False: 0x2EB67D}
"""Of the bar beside the message, by whether anything fires."""


@dataclass(frozen=True, slots=True)
class DiscordKind:
    """`discord`: a message in a channel."""

    poster: Poster

    name: ClassVar[str] = "discord"
    config: ClassVar = DiscordConfig
    secrets: ClassVar = DiscordSecrets

    def open(self, config: DiscordConfig, secrets: DiscordSecrets) -> Channel:
        """A channel to one webhook."""
        return HttpChannel(self.poster, secrets, partial(outgoing, config), accepted)


def outgoing(config: DiscordConfig, notification: Notification, secrets: DiscordSecrets) -> Outgoing:
    """The request of a notification. It waits for the message, so that the receipt can name it."""
    title = fill_title(config, notification)
    default = partial(default_text, notification, MARKDOWN, MAX_DESCRIPTION, size=utf16_units)
    text = fill("text", config.text, notification, default)
    faults = (*title.faults, *text.faults)
    embed: dict[str, Any] = {
        "title": cut(title.text, MAX_TITLE, size=utf16_units),
        "description": cut(text.text, MAX_DESCRIPTION, size=utf16_units),
        "color": COLOURS[notification.state == FIRING],
        "timestamp": notification.alerts[0].at,
    }
    if is_web(notification.url):
        embed["url"] = notification.url
    if faults:
        embed["footer"] = {"text": cut("\n".join(faults), MAX_FOOTER, size=utf16_units)}
    document = {"embeds": [embed], "allowed_mentions": {"parse": []}}
    separator = "&" if "?" in secrets.webhook_url else "?"
    return Outgoing(f"{secrets.webhook_url}{separator}wait=true", to_json(document), faults=faults)


def accepted(answer: Content) -> Receipt:
    """Discord names the message."""
    return Receipt(f"HTTP {answer.status}, message {json_of(answer).get('id', '?')}"[:500])
