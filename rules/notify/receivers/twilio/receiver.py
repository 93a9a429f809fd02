"""Short messages and telephone calls by Twilio."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from rules.notify.answers import json_of
from rules.notify.message_templates import fill
from rules.notify.notification import FIRING, Channel, InvalidReceiver, Notification, Receipt
from rules.notify.posting import Content, Poster
from rules.notify.receivers.twilio.config import TwilioConfig, TwilioSecrets
from rules.notify.requesting import FORM, HttpChannel, Outgoing
from rules.notify.texts import cut, short_text

MAX_SMS: Final = 1_600
MAX_SPOKEN: Final = 3_000
"""Characters said; a call's TwiML may have 4,000 of them, escaped."""
MAX_TWIML: Final = 4_000
MAX_FAULT: Final = 300


@dataclass(frozen=True, slots=True)
class TwilioKind:
    """`twilio`: a short message to, or a call of, one number."""

    poster: Poster
    api_url: str = "https://api.twilio.com"

    name: ClassVar[str] = "twilio"
    config: ClassVar = TwilioConfig
    secrets: ClassVar = TwilioSecrets

    def open(self, config: TwilioConfig, secrets: TwilioSecrets) -> Channel:
        """A channel to one telephone."""
        if config.mode == "voice" and not config.sender.startswith("+"):
            raise InvalidReceiver({"config.sender": "a call needs a number to come from"})
        return HttpChannel(self.poster, secrets, partial(outgoing, config, self.api_url), accepted)


def outgoing(
    config: TwilioConfig, api_url: str, notification: Notification, secrets: TwilioSecrets
) -> Outgoing:
    """The request of a notification."""
    voice = config.mode == "voice"
    default = partial(_spoken, notification) if voice else partial(short_text, notification, MAX_SMS)
    text = fill("text", config.text, notification, default)
    ending = "".join(f"\n{cut(fault, MAX_FAULT)}" for fault in text.faults)
    fields = {
        "To": config.to,
        "MessagingServiceSid" if config.sender.startswith("MG") else "From": config.sender,
    }
    if voice:
        fields["Twiml"] = twiml(cut(text.text, MAX_SPOKEN, ending=ending), config.language)
    else:
        fields["Body"] = cut(text.text, MAX_SMS, ending=ending)
    resource = "Calls" if voice else "Messages"
    proof = b64encode(f"{config.account_sid}:{secrets.auth_token}".encode()).decode()
    return Outgoing(
        f"{api_url}/2010-04-01/Accounts/{config.account_sid}/{resource}.json",
        urlencode(fields, errors="replace").encode(),
        FORM,
        {"Authorization": f"Basic {proof}"},
        text.faults,
    )


def twiml(text: str, language: str) -> str:
    """The call: the text, twice. What XML cannot hold is left out."""
    spoken = "".join(each for each in text if each.isprintable() or each in "\n\t")
    while len(said := _said(spoken, language)) > MAX_TWIML:
        spoken = spoken[: len(spoken) * 3 // 4]
    return said


def _said(text: str, language: str) -> str:
    return f'<Response><Say language="{language}" loop="2">{escape(text)}</Say></Response>'


def _spoken(notification: Notification) -> str:
    """What is said when nobody wrote a template."""
    firing = sum(alert.state == FIRING for alert in notification.alerts)
    count = f"{firing} alerts firing" if firing != 1 else "One alert firing"
    if not firing:
        count = "Alerts resolved"
    lines = [
        f"{alert.labels.get('alertname', 'alert')}: {alert.annotations.get('summary', alert.state)}."
        for alert in notification.alerts[:3]
    ]
    return "\n".join([f"{count}.", *lines])


def accepted(answer: Content) -> Receipt:
    """Twilio names the message or call."""
    said = json_of(answer)
    return Receipt(f"{said.get('status', f'HTTP {answer.status}')} {said.get('sid', '?')}"[:500])
