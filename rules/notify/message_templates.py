"""Templates of messages: a user's words for a notification, in the language of Alertmanager.

Templates and a notification go in, texts come out. A malformed template is refused when it is saved; one that
fails when it is filled is replaced by the default, and the fault says so.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rules.notify.gotemplate import alertmanager, prometheus
from rules.notify.gotemplate.errors import TemplateFailed, TemplateMalformed
from rules.notify.gotemplate.evaluator import Data, execute
from rules.notify.gotemplate.limits import TemplateLimits
from rules.notify.gotemplate.messages import AlertView, KeyValues, group_struct
from rules.notify.gotemplate.nodes import Template
from rules.notify.gotemplate.parser import parse
from rules.notify.gotemplate.values import Struct
from rules.notify.notification import AlertNotice, Notification
from rules.notify.templates import FUNCTION_NAMES, FUNCTIONS

LIMITS: Final = TemplateLimits()
Escape = Callable[[str], str]


def check_message_template(text: str) -> str:
    """The text, if it is a template.

    Raises
    ------
    ValueError
        With the position and the reason.
    """
    try:
        _compiled(text)
    except TemplateMalformed as error:
        raise ValueError(str(error)) from None
    return text


TemplateText = Annotated[str, Field(max_length=20_000), AfterValidator(check_message_template)]
"""A template in a receiver's configuration."""


class TemplatedText(BaseModel):
    """Configuration of a kind whose message is one text. Empty: our words."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    text: TemplateText | None = None
    """Template of the text; ours without one."""


class Templated(TemplatedText):
    """Configuration of a kind whose message has a title as well."""

    title: TemplateText | None = None
    """Template of the title; ours without one."""


@dataclass(frozen=True, slots=True)
class Filled:
    """One text of a message."""

    text: str
    fault: str = ""
    """Why it is not the user's: the field, the position and the reason."""

    @property
    def faults(self) -> tuple[str, ...]:
        """None or one, as previews list them."""
        return (self.fault,) if self.fault else ()


def fill_title(config: Templated, notification: Notification) -> Filled:
    """The title of a message, on one line."""
    filled = fill("title", config.title, notification, lambda: notification.title)
    return Filled(one_line(filled.text), filled.fault)


def one_line(text: str) -> str:
    """A text for a heading: nothing in it breaks the line or is not to be seen."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def fill(field: str, template: str | None, notification: Notification, default: Callable[[], str]) -> Filled:
    """The text of a template, or the default where there is no template, or it fails.

    Parameters
    ----------
    field
        What the fault calls it.
    """
    return _fill(field, template, default, partial(expand, notification=notification))


def fill_escaped(
    field: str, template: str | None, notification: Notification, default: Callable[[], str]
) -> Filled:
    """As `fill`, for a template of HTML: what comes from outside is escaped before the template sees it."""
    return _fill(field, template, default, partial(expand, notification=notification, escape=html.escape))


def _fill(
    field: str, template: str | None, default: Callable[[], str], expand_it: Callable[[str], str]
) -> Filled:
    if template is None:
        return Filled(default())
    try:
        text = expand_it(template)
    except (TemplateFailed, TemplateMalformed) as error:
        return Filled(default(), f"The template `{field}` failed, so this is the default: {error}")
    if not text.strip():
        return Filled(default(), f"The template `{field}` came to nothing, so this is the default.")
    return Filled(text)


def expand(template: str, notification: Notification, escape: Escape = str) -> str:
    """The template filled with a notification.

    Parameters
    ----------
    escape
        Applied to every text that comes from outside before the template sees it.

    Raises
    ------
    TemplateFailed, TemplateMalformed
    """
    now = datetime.fromisoformat(notification.alerts[0].at)  # the same on every attempt
    functions = {
        **FUNCTIONS,
        **prometheus.surrounding_functions(notification.url, None),
        **alertmanager.time_functions(now.timestamp()),
    }
    filled = execute(_compiled(template), Data(struct_of(notification, escape), {}), functions, LIMITS)
    return filled.replace("\0", "\ufffd")


def struct_of(notification: Notification, escape: Escape = str) -> Struct:
    """The notification as templates see it: Alertmanager's fields, and ours beside them."""
    base = group_struct(
        escape(notification.receiver),
        _escaped(notification.group_labels, escape),
        [_view(alert, escape) for alert in notification.alerts],
        escape(notification.url),
    )
    ours = {
        "Title": escape(notification.title),
        "Tenant": escape(notification.tenant),
        "GroupKey": escape(notification.group_key),
        "Generation": notification.generation,
        "Reason": notification.reason,
        "TruncatedAlerts": notification.truncated,
        "Actions": KeyValues(_escaped(notification.actions, escape)),
    }
    return Struct("notification", {**base.fields, **ours})


def _view(alert: AlertNotice, escape: Escape) -> AlertView:
    return AlertView(
        status=alert.state,
        labels=_escaped(alert.labels, escape),
        annotations=_escaped(alert.annotations, escape),
        starts_at=datetime.fromisoformat(alert.starts_at),
        ends_at=datetime.fromisoformat(alert.ends_at) if alert.ends_at else None,
        url=escape(alert.url),
        fingerprint=alert.fingerprint,
        ours={"ID": alert.alert_id, "Value": alert.value, "LateBySeconds": alert.late_by_s},
    )


def _escaped(texts: Mapping[str, str], escape: Escape) -> dict[str, str]:
    return {escape(name): escape(value) for name, value in texts.items()}


@lru_cache(maxsize=512)
def _compiled(text: str) -> Template:
    return parse(text, FUNCTION_NAMES, ())
