"""What the pages behind the links of messages say, in English and French."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ACTIONS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "en": {
        "acknowledge": ("Acknowledge", "You are on it: nobody else is paged, and nothing is repeated."),
        "snooze": ("Snooze for an hour", "Nobody is told of these alerts for an hour."),
        "resolve": ("Resolve", "For people these alerts are over, until they begin anew."),
        "useful": ("It was useful", "The judgement is kept for the reports."),
        "noise": ("It was noise", "The judgement is kept for the reports."),
    },
    "fr": {
        "acknowledge": (
            "Acquitter",
            "Vous vous en occupez : personne d'autre n'est appelé, rien n'est répété.",
        ),
        "snooze": ("Mettre en sommeil une heure", "Personne n'est prévenu de ces alertes pendant une heure."),
        "resolve": (
            "Résoudre",
            "Pour les personnes, ces alertes sont closes, jusqu'à ce qu'elles reprennent.",
        ),
        "useful": ("Elle était utile", "Le jugement est conservé pour les rapports."),
        "noise": ("C'était du bruit", "Le jugement est conservé pour les rapports."),
    },
}
"""What each button says, and what it does."""


@dataclass(frozen=True, slots=True)
class PageWords:
    """The rest of a page."""

    language: str
    alerts: str
    states: Mapping[str, str]
    more: str
    done: str
    """With `{count}`: how many alerts changed."""
    unchanged: str
    refused: str
    faults: Mapping[str, str]
    """Why, by the reason of the refusal."""


WORDS: Final[Mapping[str, PageWords]] = {
    "en": PageWords(
        language="en",
        alerts="Alerts of this message",
        states={"firing": "firing", "resolved": "over"},
        more="more",
        done="Done: {count} alert(s) changed.",
        unchanged="Nothing changed: somebody was faster, or the alerts are over.",
        refused="This link does not work",
        faults={
            "expired": "It is older than a week.",
            "forged": "It is not one of ours, or was changed on its way.",
            "gone": "Its message has been removed.",
        },
    ),
    "fr": PageWords(
        language="fr",
        alerts="Alertes de ce message",
        states={"firing": "active", "resolved": "terminée"},
        more="de plus",
        done="C'est fait : {count} alerte(s) modifiée(s).",
        unchanged="Rien n'a changé : quelqu'un a été plus rapide, ou les alertes sont terminées.",
        refused="Ce lien ne fonctionne pas",
        faults={
            "expired": "Il date de plus d'une semaine.",
            "forged": "Il n'est pas des nôtres, ou a été modifié en chemin.",
            "gone": "Son message a été supprimé.",
        },
    ),
}
