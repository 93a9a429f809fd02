"""A report as an e-mail, and handing it to the server: who took it, who refused, who may take it later."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final

from rules.notify.notification import DeliveryFailed
from rules.notify.receivers.email.receiver import TEMPORARY, Refusals, SmtpServer, hand_over
from rules.reports.document import shown
from rules.reports.facts import Heading
from rules.reports.rendering import file_name
from rules.reports.words import say

_LONGEST_ANSWER: Final = 200


@dataclass(frozen=True, slots=True)
class Posted:
    """What the server said of each recipient."""

    accepted: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    """For good."""
    later: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportMail:
    """A report, and for whom. `identity` is the same whenever it is sent again."""

    identity: str
    heading: Heading
    subtitle: str
    html: str
    pdf: bytes
    made_at: datetime
    recipients: Sequence[str]


def message_of(mail: ReportMail, sender: str) -> EmailMessage:
    """The message: plain words, the page as HTML, the PDF attached."""
    heading = mail.heading
    title = shown(heading.name)
    message = EmailMessage()
    message["Subject"] = f"{title}: {say(f'kind.{heading.kind}', heading.language)}"
    message["From"] = sender
    message["To"] = ", ".join(mail.recipients)
    message["Date"] = format_datetime(mail.made_at)
    message["Message-ID"] = f"<{mail.identity}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(say("mail", heading.language, title=title, subtitle=mail.subtitle))
    message.add_alternative(mail.html, subtype="html")
    name = file_name(heading.kind, datetime.fromisoformat(heading.end))
    message.add_attachment(mail.pdf, maintype="application", subtype="pdf", filename=name)
    return message


def post(message: EmailMessage, recipients: Sequence[str], server: SmtpServer) -> Posted:
    """Hand the message over for these recipients.

    Raises
    ------
    DeliveryFailed
        If the server does not answer, or will not speak with us: nobody has it then.
    """
    answers: Refusals
    try:
        answers = hand_over(server, message, recipients)
    except smtplib.SMTPRecipientsRefused as error:
        answers = error.recipients
    except smtplib.SMTPDataError as error:
        answers = dict.fromkeys(recipients, (error.smtp_code, error.smtp_error))
    except smtplib.SMTPAuthenticationError as error:
        raise DeliveryFailed(f"SMTP {error.smtp_code}: the server refuses the login") from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}"[:_LONGEST_ANSWER]) from None
    return Posted(
        {one: f"accepted {message['Message-ID']}" for one in recipients if one not in answers},
        {one: _text(*answer) for one, answer in answers.items() if answer[0] not in TEMPORARY},
        {one: _text(*answer) for one, answer in answers.items() if answer[0] in TEMPORARY},
    )


def _text(code: int, answer: bytes | str) -> str:
    words = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return shown(f"{code} {words}", _LONGEST_ANSWER)
