"""The mail of a notification: plain text with HTML beside it, in the thread of its group.

A notification and a receiver's configuration go in, a message comes out. Control characters in labels cannot
break headers, and nothing that comes from outside is HTML in our own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import partial
from hashlib import sha256
from html import escape

from rules.notify.message_templates import Filled, fill, fill_escaped, one_line
from rules.notify.notification import FIRING, AlertNotice, Notification
from rules.notify.receivers.email.config import EmailConfig
from rules.notify.texts import PLAIN, facts, is_web, links, paragraphs

COLOURS = {True: "#b00020", False: "#1b7f4b"}
"""Of the heading, by whether it fires."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says, and which templates failed."""

    subject: str
    text: str
    html: str
    faults: tuple[str, ...]


def words_of(notification: Notification, config: EmailConfig) -> Words:
    """The three texts of a mail. The faults stand in it, too."""
    subject = fill("subject", config.subject, notification, lambda: notification.title)
    text = fill("text", config.text, notification, partial(_text, notification))
    html = fill_escaped("html", config.html, notification, partial(_html, notification))
    faults = tuple(fault for filled in (subject, text, html) for fault in filled.faults)
    return Words(
        one_line(subject.text),
        "\n\n".join([text.text.rstrip("\n"), *faults]) + "\n",
        _with_faults(html, faults),
        faults,
    )


def _with_faults(html: Filled, faults: tuple[str, ...]) -> str:
    return html.text + "".join(f"<p><em>{escape(fault)}</em></p>\n" for fault in faults)


def message_of(notification: Notification, sender: str, config: EmailConfig) -> EmailMessage:
    """The message of a notification. All of a group refer to one id, so that mail programs thread them."""
    words = words_of(notification, config)
    domain = parseaddr(sender)[1].rpartition("@")[2]
    message = EmailMessage()
    message["Subject"] = words.subject
    message["From"] = sender
    message["To"] = ", ".join(config.to)
    message["Date"] = format_datetime(datetime.fromisoformat(notification.alerts[0].at))
    message["Message-ID"] = f"<{_digest(notification.idempotency_key)}@{domain}>"
    if notification.group_key:
        parts = ("thread", notification.tenant, notification.receiver, notification.group_key)
        thread = f"<{_digest(*parts)}@{domain}>"
        message["In-Reply-To"] = thread
        message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"
    message["X-Idempotency-Key"] = notification.idempotency_key
    message.set_content(words.text)
    message.add_alternative(words.html, subtype="html")
    message.set_boundary(f"={_digest('boundary', notification.idempotency_key)}")  # the same on a retry
    return message


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:32]


def _text(notification: Notification) -> str:
    more = [f"… and {notification.truncated} more alerts"] if notification.truncated else []
    ending = "\n".join(links(notification, PLAIN))
    return "\n\n".join([notification.title, *paragraphs(notification, PLAIN), *more, ending])


def _html(notification: Notification) -> str:
    colour = COLOURS[notification.state == FIRING]
    buttons = {name.capitalize(): url for name, url in notification.actions.items()}
    shown = " &middot; ".join(_link(name, url) for name, url in {**buttons, "Open": notification.url}.items())
    more = f"<p>… and {notification.truncated} more alerts</p>\n" if notification.truncated else ""
    return "".join(
        [
            '<!DOCTYPE html>\n<html><body style="font-family: sans-serif">\n',
            f'<h2 style="color: {colour}">{escape(notification.title)}</h2>\n',
            *(line for alert in notification.alerts for line in _alert(alert)),
            more,
            f"<p>{shown}</p>\n</body></html>\n",
        ]
    )


def _alert(alert: AlertNotice) -> Iterator[str]:
    colour = COLOURS[alert.state == FIRING]
    name = alert.labels.get("alertname", "alert")
    yield f'<h3 style="color: {colour}">{escape(alert.state.upper())} {escape(name)}</h3>\n'
    yield f"<p>{escape(facts(alert))} &middot; {_link('Alert', alert.url)}</p>\n<table>\n"
    for heading, pairs in (("Annotations", alert.annotations), ("Labels", alert.labels)):
        if pairs:
            yield f'<tr><th colspan="2" align="left">{heading}</th></tr>\n'
        for key, value in sorted(pairs.items()):
            shown = _link(value, value) if is_web(value) else escape(value)
            yield f"<tr><td>{escape(key)}</td><td>{shown}</td></tr>\n"
    yield "</table>\n"


def _link(words: str, url: str) -> str:
    return f'<a href="{escape(url)}">{escape(words)}</a>'
