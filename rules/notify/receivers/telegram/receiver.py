"""Messages in Telegram by a bot."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from rules.notify.answers import check, json_of
from rules.notify.message_templates import fill, fill_title
from rules.notify.notification import Channel, DeliveryFailed, DeliveryRefused, Notification, Receipt
from rules.notify.posting import Content, Poster
from rules.notify.receivers.telegram.config import TelegramConfig, TelegramSecrets
from rules.notify.requesting import HttpChannel, Outgoing, to_json
from rules.notify.texts import PLAIN, cut, fit, is_web, paragraphs, utf16_units

MAX_TEXT: Final = 4_096
MAX_TITLE: Final = 300
MAX_FAULT: Final = 400


@dataclass(frozen=True, slots=True)
class TelegramKind:
    """`telegram`: a message in a chat."""

    poster: Poster
    api_url: str = "https://api.telegram.org"

    name: ClassVar[str] = "telegram"
    config: ClassVar = TelegramConfig
    secrets: ClassVar = TelegramSecrets

    def open(self, config: TelegramConfig, secrets: TelegramSecrets) -> Channel:
        """A channel to one chat."""
        return HttpChannel(self.poster, secrets, partial(outgoing, config, self.api_url), accepted, judge)


def outgoing(
    config: TelegramConfig, api_url: str, notification: Notification, secrets: TelegramSecrets
) -> Outgoing:
    """The request of a notification."""
    document, faults = message_of(config, notification)
    return Outgoing(f"{api_url}/bot{secrets.token}/sendMessage", to_json(document), faults=faults)


@dataclass(slots=True)
class _Text:
    """A text with marks by position, so that nothing in it is read as markup."""

    text: str = ""
    entities: list[dict[str, Any]] = field(default_factory=list)

    def add(self, text: str, **entity: str) -> None:
        if entity:
            offset, length = utf16_units(self.text), utf16_units(text)
            self.entities.append({"offset": offset, "length": length, **entity})
        self.text += text


def message_of(config: TelegramConfig, notification: Notification) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The message, within Telegram's limit, and the faults of its templates."""
    title = fill_title(config, notification)
    ending = _ending(notification)
    shown_title = cut(title.text, MAX_TITLE, size=utf16_units)
    room = MAX_TEXT - utf16_units(f"{shown_title}\n\n\n\n{ending.text}") - 2 * MAX_FAULT
    default = partial(
        fit, paragraphs(notification, PLAIN), room, unlisted=notification.truncated, size=utf16_units
    )
    text = fill("text", config.text, notification, default)
    faults = (*title.faults, *text.faults)
    message = _Text()
    message.add(shown_title, type="bold")
    notes = "".join("\n" + cut(fault, MAX_FAULT - 1, size=utf16_units) for fault in faults)
    message.add(f"\n\n{cut(text.text, room, size=utf16_units)}{notes}\n\n")
    start = utf16_units(message.text)
    moved = [entity | {"offset": entity["offset"] + start} for entity in ending.entities]
    document = {
        "chat_id": config.chat_id,
        "text": message.text + ending.text,
        "entities": message.entities + moved,
        "link_preview_options": {"is_disabled": True},
    }
    if config.message_thread_id is not None:
        document["message_thread_id"] = config.message_thread_id
    return document, faults


def _ending(notification: Notification) -> _Text:
    """Words that are links: `Acknowledge · Snooze · Open`."""
    ending = _Text()
    urls = {name.capitalize(): url for name, url in notification.actions.items()} | {"Open": notification.url}
    for name, url in urls.items():
        if is_web(url):
            ending.add(" · " if ending.text else "")
            ending.add(name, type="text_link", url=url)
    return ending


def judge(answer: Content) -> None:
    """As everywhere; how long to wait stands in the body."""
    parameters = json_of(answer).get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if answer.status == 429 and isinstance(wait, int):
        raise DeliveryFailed("HTTP 429: too many messages", retry_after_s=float(wait))
    check(answer)


def accepted(answer: Content) -> Receipt:
    """Telegram names the message."""
    said = json_of(answer)
    if said.get("ok") is not True:
        raise DeliveryRefused(f"Telegram says {str(said.get('description', 'not ok'))[:200]}")
    result = said.get("result")
    number = result.get("message_id", "?") if isinstance(result, dict) else "?"
    return Receipt(f"ok, message {number}"[:500])
