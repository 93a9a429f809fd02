"""Adaptive Cards in Microsoft Teams, by the webhook of a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from rules.notify.message_templates import fill, fill_title
from rules.notify.notification import FIRING, Channel, Notification
from rules.notify.posting import Poster
from rules.notify.receivers.msteams.config import TeamsConfig, TeamsSecrets
from rules.notify.requesting import HttpChannel, Outgoing, to_json
from rules.notify.texts import PLAIN, cut, is_web, paragraphs

MAX_BYTES: Final = 21_000
"""Microsoft says about 28 kB, of a form that it makes of ours; messages of 21 kB are known to pass."""
MAX_TITLE: Final = 300


@dataclass(frozen=True, slots=True)
class TeamsKind:
    """`msteams`: a card in a channel or chat."""

    poster: Poster

    name: ClassVar[str] = "msteams"
    config: ClassVar = TeamsConfig
    secrets: ClassVar = TeamsSecrets

    def open(self, config: TeamsConfig, secrets: TeamsSecrets) -> Channel:
        """A channel to one workflow."""
        return HttpChannel(self.poster, secrets, partial(outgoing, config))


def outgoing(config: TeamsConfig, notification: Notification, secrets: TeamsSecrets) -> Outgoing:
    """The request of a notification: as many alerts as fit, then how many are missing."""
    title = fill_title(config, notification)
    text = fill("text", config.text, notification, str)
    ours = config.text is None or bool(text.fault)
    parts = paragraphs(notification, PLAIN) if ours else [text.text]
    faults = (*title.faults, *text.faults)
    card = _Card(notification, cut(title.text, MAX_TITLE), faults)
    return Outgoing(secrets.webhook_url, card.fitted(parts), faults=faults)


@dataclass(frozen=True, slots=True)
class _Card:
    notification: Notification
    title: str
    faults: tuple[str, ...]

    def fitted(self, parts: list[str]) -> bytes:
        """The card with as many parts as fit whole; of a first that does not, the beginning."""
        for count in range(len(parts), 0, -1):
            missing = len(parts) - count + self.notification.truncated
            more = [f"… and {missing} more alerts"] if missing else []
            body = self.encoded([*parts[:count], *more])
            if len(body) <= MAX_BYTES:
                return body
        return self.encoded([cut(parts[0], MAX_BYTES, size=lambda text: len(self.encoded([text])))])

    def encoded(self, parts: list[str]) -> bytes:
        """The message on the wire."""
        firing = self.notification.state == FIRING
        title = _run(self.title, weight="Bolder", size="Large", color="Attention" if firing else "Good")
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": {"width": "Full"},
            "body": [
                title,
                *(_run(part) for part in parts),
                *(_run(fault, color="Warning") for fault in self.faults),
            ],
            "actions": self._buttons(),
        }
        content_type = "application/vnd.microsoft.card.adaptive"
        attachment = {"contentType": content_type, "contentUrl": None, "content": card}
        return to_json({"type": "message", "attachments": [attachment]})

    def _buttons(self) -> list[dict[str, str]]:
        """Teams shows six."""
        urls = {name.capitalize(): url for name, url in self.notification.actions.items()}
        urls = {"Open": self.notification.url} | urls
        shown = [(name, url) for name, url in urls.items() if is_web(url)][:6]
        return [{"type": "Action.OpenUrl", "title": name, "url": url} for name, url in shown]


def _run(text: str, **style: str) -> dict[str, Any]:
    """A text that is not read as markup: labels cannot make links of themselves."""
    return {
        "type": "RichTextBlock",
        "separator": True,
        "inlines": [{"type": "TextRun", "text": text, **style}],
    }
