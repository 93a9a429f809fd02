"""What a message says when nobody wrote a template: good defaults, cut to what a service takes.

Notifications go in, text in the markup of a service comes out. What was left out is said, with its size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

from rules.notify.gotemplate.numbers import floating
from rules.notify.notification import RESOLVED, AlertNotice, Notification

_SHOWN_FIRST: Final = ("summary", "description", "runbook_url")
"""Annotations that have a place of their own."""
_SPECIAL_MARKDOWN: Final = re.compile(r"([\\`*_~|<>\[\]()#])")


@dataclass(frozen=True, slots=True)
class Markup:
    """How a service writes what is bold, linked, or merely text."""

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    """Of its words and a URL, both escaped here."""


PLAIN: Final = Markup(str, str, lambda words, url: f"{words}: {url}")
SLACK: Final = Markup(
    lambda text: escape(text, quote=False),
    lambda text: f"*{text}*",
    lambda words, url: f"<{escape(url, quote=False).replace('|', '%7C')}|{escape(words, quote=False)}>",
)
MARKDOWN: Final = Markup(
    lambda text: _SPECIAL_MARKDOWN.sub(r"\\\1", text),
    lambda text: f"**{text}**",
    lambda words, url: (
        f"[{_SPECIAL_MARKDOWN.sub(r' ', words)}]({url.replace(')', '%29').replace(' ', '%20')})"
    ),
)


def paragraphs(notification: Notification, markup: Markup) -> list[str]:
    """One for each alert."""
    return ["\n".join(_lines(alert, markup)) for alert in notification.alerts]


def _lines(alert: AlertNotice, markup: Markup) -> list[str]:
    annotations = alert.annotations
    name = alert.labels.get("alertname", "alert")
    summary = annotations.get("summary", "")
    heading = markup.bold(markup.escape(f"{alert.state.upper()} {name}"))
    lines = [f"{heading}: {markup.escape(summary)}" if summary else heading]
    lines += [markup.escape(text) for text in [annotations.get("description", "")] if text]
    lines.append(markup.escape(facts(alert)))
    labels = ", ".join(f"{key}={value}" for key, value in sorted(alert.labels.items()) if key != "alertname")
    lines += [markup.escape(labels)] if labels else []
    lines += [
        markup.escape(f"{key}: {value}")
        for key, value in sorted(annotations.items())
        if key not in _SHOWN_FIRST
    ]
    runbook = annotations.get("runbook_url", "")
    if runbook:
        lines.append(
            markup.link("Runbook", runbook) if is_web(runbook) else markup.escape(f"Runbook: {runbook}")
        )
    return [*lines, markup.link("Alert", alert.url)]


def facts(alert: AlertNotice) -> str:
    """Value and times of an alert on one line."""
    found = [] if alert.value is None else [f"value {floating(alert.value)}"]
    found.append(f"since {moment(alert.starts_at)}")
    if alert.state == RESOLVED:
        found.append(f"until {moment(alert.at)}")
    if alert.late_by_s >= 60:
        found.append(f"found {alert.late_by_s:.0f} s late")
    return ", ".join(found)


def moment(rfc3339: str) -> str:
    """A moment to be read: to the second, with its zone."""
    return datetime.fromisoformat(rfc3339).strftime("%Y-%m-%d %H:%M:%S %Z")


def links(notification: Notification, markup: Markup) -> list[str]:
    """What may be done, and where the group is seen."""
    actions = [markup.link(name.capitalize(), url) for name, url in notification.actions.items()]
    return [*actions, markup.link("Open", notification.url)]


def is_web(url: str) -> bool:
    """Whether a browser may be sent there: not `javascript:` and the like."""
    return url.startswith(("http://", "https://"))


def default_text(
    notification: Notification, markup: Markup, limit: int, *, size: Callable[[str], int] = len
) -> str:
    """Alerts, as many as fit whole, then how many are missing, then links."""
    ending = "\n".join(links(notification, markup))
    return fit(
        paragraphs(notification, markup), limit, ending=ending, unlisted=notification.truncated, size=size
    )


def fit(
    parts: Sequence[str],
    limit: int,
    *,
    ending: str = "",
    unlisted: int = 0,
    size: Callable[[str], int] = len,
) -> str:
    """Parts with an empty line between, as many as fit whole, and how many alerts are missing.

    A first part that is too long by itself is cut. An ending that would leave it no room is left out.
    """
    for count in range(len(parts), 0, -1):
        text = "\n\n".join([*parts[:count], *_after(len(parts) - count + unlisted, ending)])
        if size(text) <= limit:
            return text
    after = "".join(f"\n\n{part}" for part in _after(len(parts) - 1 + unlisted, ending))
    return cut(parts[0], limit, ending=after if size(after) <= limit // 2 else "", size=size)


def _after(missing: int, ending: str) -> list[str]:
    """What follows the alerts that are listed."""
    return [part for part in (f"… and {missing} more alerts" if missing else "", ending) if part]


def bounded_labels(labels: Mapping[str, str], limit: int) -> dict[str, str]:
    """The labels, in order, whose names and values together have at most `limit` characters."""
    kept: dict[str, str] = {}
    for name, value in sorted(labels.items()):
        limit -= len(name) + len(value)
        if limit < 0:
            break
        kept[name] = value
    return kept


def utf16_units(text: str) -> int:
    """How long a text is for services that count as JavaScript does."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int, *, ending: str = "", size: Callable[[str], int] = len) -> str:
    """A text of at most `limit`, its ending kept; a longer one says how many characters are missing.

    Parameters
    ----------
    size
        Counts as the service does; never less for a longer text.
    """
    if size(text + ending) <= limit:
        return text + ending
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if size(_shortened(text, middle) + ending) <= limit:
            low = middle
        else:
            high = middle - 1
    return _shortened(text, low) + ending


def _shortened(text: str, length: int) -> str:
    return f"{text[:length]}… ({len(text) - length} characters more)"


def short_text(notification: Notification, limit: int) -> str:
    """A few lines for a telephone: the title, a line an alert, and the two links that matter there."""
    wanted = {name: url for name, url in notification.actions.items() if name == "acknowledge"}
    ending = "\n".join([*(f"{name.capitalize()}: {url}" for name, url in wanted.items()), notification.url])
    lines = [alert.annotations.get("summary") or facts(alert) for alert in notification.alerts]
    listed = "\n".join(lines[:5])
    missing = len(lines) - 5 + notification.truncated
    more = f"\n… and {missing} more alerts" if missing > 0 else ""
    return cut(f"{notification.title}\n{listed}{more}", limit, ending=f"\n{ending}")
