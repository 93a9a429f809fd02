"""The story of an alert in plain words, English and French.

In: what happened, as entries with a kind and facts. Out: one sentence each, and a last one that says why
people were or were not told. A kind without words is a fault of the code and raises `KeyError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

LANGUAGES: Final = ("en", "fr")

UNKNOWN: Final = "unknown"
"""The value of an alert that its sender gave none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to an alert."""

    at: datetime
    kind: str
    """Key of the wording: `transition.firing`, `suppressed.silenced`, `message.delivered`, …"""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence names; values of any type that prints."""


_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "transition.pending": (
        "The condition began to hold (value {value}); the rule waits before it fires.",
        "La condition est devenue vraie (valeur {value}) ; la règle attend avant de se déclencher.",
    ),
    "transition.firing": (
        "The alert began to fire (value {value}): {reason}.",
        "L'alerte s'est déclenchée (valeur {value}) : {reason}.",
    ),
    "transition.firing.valueless": (
        "The alert began to fire: {reason}.",
        "L'alerte s'est déclenchée : {reason}.",
    ),
    "transition.resolved": ("The alert ended: {reason}.", "L'alerte a pris fin : {reason}."),
    "transition.inactive": (
        "The condition ended before the alert fired: {reason}.",
        "La condition a cessé avant le déclenchement : {reason}.",
    ),
    "transition.ended_after_hand": (
        "Resolved by hand before, it is over now ({reason}): nobody is told again, and it may begin anew.",
        "Résolue à la main, elle a pris fin ({reason}) : nul n'est prévenu de nouveau, elle peut reprendre.",
    ),
    "explained": ("Behind it: {text}", "En cause : {text}"),
    "routed": (
        "Route {path} takes it, for receiver {receiver}, in group {group}.",
        "La route {path} la prend, pour le destinataire {receiver}, dans le groupe {group}.",
    ),
    "message.due": (
        "A message to {receiver} is owed ({reason}), attempt {attempts} so far.",
        "Un message à {receiver} est dû ({reason}), {attempts} tentative(s) jusqu'ici.",
    ),
    "message.delivered": (
        "{receiver} was told ({reason}) and answered: {receipt}.",
        "{receiver} a été prévenu ({reason}) et a répondu : {receipt}.",
    ),
    "message.dead": (
        "The message to {receiver} was given up: {cause}.",
        "Le message à {receiver} a été abandonné : {cause}.",
    ),
    "message.cancelled": (
        "The message to {receiver} was cancelled: {cause}.",
        "Le message à {receiver} a été annulé : {cause}.",
    ),
    "attempt.delivered": (
        "Attempt {number} to tell {receiver}: {outcome}.",
        "Tentative {number} pour prévenir {receiver} : {outcome}.",
    ),
    "attempt.failed": (
        "Attempt {number} to tell {receiver} failed: {outcome}.",
        "La tentative {number} pour prévenir {receiver} a échoué : {outcome}.",
    ),
    "attempt.lost": (
        "Attempt {number} to tell {receiver} was begun; its outcome is not known.",
        "La tentative {number} pour prévenir {receiver} a commencé ; son résultat est inconnu.",
    ),
    "suppressed.silenced": (
        "{receiver} was not told: silence {detail} covers it.",
        "{receiver} n'a pas été prévenu : le silence {detail} la couvre.",
    ),
    "suppressed.inhibited": (
        "{receiver} was not told: it is inhibited ({detail}).",
        "{receiver} n'a pas été prévenu : elle est inhibée ({detail}).",
    ),
    "suppressed.muted_by_interval": (
        "{receiver} was not told: its route is muted by the clock ({detail}).",
        "{receiver} n'a pas été prévenu : sa route est muette à cette heure ({detail}).",
    ),
    "suppressed.outside_active_interval": (
        "{receiver} was not told: its route is not active at this time ({detail}).",
        "{receiver} n'a pas été prévenu : sa route n'est pas active à cette heure ({detail}).",
    ),
    "suppressed.acknowledged": (
        "{receiver} was not told again: somebody has acknowledged it.",
        "{receiver} n'a pas été prévenu de nouveau : quelqu'un l'a acquittée.",
    ),
    "suppressed.snoozed": (
        "{receiver} was not told: it is snoozed ({detail}).",
        "{receiver} n'a pas été prévenu : elle est mise en sommeil ({detail}).",
    ),
    "suppressed.flapping": (
        "{receiver} was not told again: it flaps, and flapping alerts are damped.",
        "{receiver} n'a pas été prévenu de nouveau : elle oscille, et les alertes oscillantes sont amorties.",
    ),
    "suppressed.resolved_before_sent": (
        "{receiver} was not told: it ended before anybody would have been.",
        "{receiver} n'a pas été prévenu : elle a pris fin avant tout envoi.",
    ),
    "suppressed.resolved_not_wanted": (
        "{receiver} was not told of its end: it does not want ends.",
        "{receiver} n'a pas été prévenu de la fin : il ne le souhaite pas.",
    ),
    "suppressed.already_sent": (
        "{receiver} knows of it already from an earlier message of the group.",
        "{receiver} en est déjà informé par un message antérieur du groupe.",
    ),
    "suppressed.superseded": (
        "{receiver} was not told: it ended and began anew, as alert {detail}, before its group was told.",
        "{receiver} n'a pas été prévenu : elle a repris, comme alerte {detail}, avant tout envoi du groupe.",
    ),
    "suppressed.orphaned": (
        "{receiver} is not told any more: no route leads there since routing changed.",
        "{receiver} n'est plus prévenu : aucune route n'y mène depuis que le routage a changé.",
    ),
    "action.acknowledged": ("{actor} acknowledged it. {text}", "{actor} l'a acquittée. {text}"),
    "action.unacknowledged": (
        "{actor} took the acknowledgement back. {text}",
        "{actor} a retiré l'acquittement. {text}",
    ),
    "action.assigned": ("{actor} assigned it to {text}.", "{actor} l'a confiée à {text}."),
    "action.commented": ("{actor}: {text}", "{actor} : {text}"),
    "action.snoozed": ("{actor} snoozed it {text}.", "{actor} l'a mise en sommeil : {text}."),
    "action.unsnoozed": ("{actor} ended its snooze.", "{actor} a mis fin à son sommeil."),
    "action.resolved": ("{actor} resolved it by hand. {text}", "{actor} l'a résolue à la main. {text}"),
    "action.damped": ("It flaps: it is damped. {text}", "Elle oscille : elle est amortie. {text}"),
    "action.undamped": ("{actor} undid its damping.", "{actor} a annulé son amortissement."),
    "escalated": (
        "Escalation {policy}, step {step}: {told} was told.",
        "Escalade {policy}, étape {step} : {told} a été prévenu.",
    ),
    "escalated.vain": (
        "Escalation {policy}, step {step}, reached nobody: {told}.",
        "Escalade {policy}, étape {step} : personne n'a été joint ({told}).",
    ),
    "incident.began": (
        "It begins the incident {title}: {reason}.",
        "Elle ouvre l'incident {title} : {reason}.",
    ),
    "incident": (
        "It belongs to the incident {title}: {reason} {evidence}.",
        "Elle appartient à l'incident {title} : {reason} {evidence}.",
    ),
    "verdict.delivered": (
        "People were told: {count} message(s) were delivered.",
        "Des personnes ont été prévenues : {count} message(s) remis.",
    ),
    "verdict.under_way": (
        "A message is under way and is tried until it arrives or is given up.",
        "Un message est en route ; il est retenté jusqu'à sa remise ou son abandon.",
    ),
    "verdict.dead": (
        "Nobody was told: every message was given up, the last since {cause}.",
        "Personne n'a été prévenu : tous les messages ont été abandonnés, le dernier car {cause}.",
    ),
    "verdict.suppressed": (
        "Nobody was told, on purpose: {why}",
        "Personne n'a été prévenu, à dessein : {why}",
    ),
    "verdict.waiting": (
        "Nobody was told yet: the group {group} flushes at {at}.",
        "Personne n'a encore été prévenu : le groupe {group} sera traité à {at}.",
    ),
    "verdict.not_fired": (
        "Nobody was told, since the alert never fired.",
        "Personne n'a été prévenu, car l'alerte ne s'est jamais déclenchée.",
    ),
    "verdict.no_route": (
        "Nobody was told: when it fired the tenant had no receiver that a route leads to.",
        "Personne n'a été prévenu : au déclenchement, aucune route ne menait à un destinataire.",
    ),
}

_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "condition_began": ("the condition began to hold", "la condition est devenue vraie"),
    "held_long_enough": ("the condition held long enough", "la condition a duré assez longtemps"),
    "condition_ended": ("the condition ended", "la condition a cessé"),
    "kept_firing_long_enough": (
        "the condition ended and stayed so long enough",
        "la condition a cessé depuis assez longtemps",
    ),
    "rule_not_active": ("its rule is not active any more", "sa règle n'est plus active"),
    "resolved_by_hand": ("somebody resolved it by hand", "quelqu'un l'a résolue à la main"),
    "sent_as_firing": ("its sender says that it fires", "son émetteur la déclare active"),
    "sent_as_resolved": ("its sender says that it is over", "son émetteur la déclare terminée"),
    "not_renewed": ("its sender did not renew it in time", "son émetteur ne l'a pas renouvelée à temps"),
    "heartbeat_missed": ("the job did not call home in time", "la tâche n'a pas donné signe de vie à temps"),
    "heartbeat_failed": ("the job reported a failure", "la tâche a signalé un échec"),
    "heartbeat_back": ("the job called home", "la tâche a donné signe de vie"),
    "shared_labels": ("it shares", "elle partage"),
    "topology": ("it is next to others by", "elle est voisine d'autres par"),
    "nothing_open": ("none was open", "aucun n'était ouvert"),
    "nothing_shared": ("it shares nothing with those open", "elle ne partage rien avec ceux ouverts"),
    "nothing_near_in_time": (
        "no alert of those open began shortly before",
        "aucune alerte de ceux ouverts n'a commencé peu avant",
    ),
    "heartbeat_changed": (
        "its heartbeat was changed or removed",
        "son signe de vie attendu a été modifié ou supprimé",
    ),
}


def sentence(entry: Entry, language: str) -> str:
    """One entry in words.

    Parameters
    ----------
    language
        `en` or `fr`.
    """
    facts = dict(entry.facts)
    known = _REASONS.get(str(facts.get("reason", "")))
    if known is not None:
        facts["reason"] = known[LANGUAGES.index(language)]
    words = _WORDS[_key(entry)]
    return words[LANGUAGES.index(language)].format(**facts).strip()


def _key(entry: Entry) -> str:
    """Which wording: there are two where a fact may be missing."""
    if entry.kind == "transition.firing" and entry.facts.get("value") == UNKNOWN:
        return "transition.firing.valueless"
    if entry.kind == "incident" and not entry.facts["evidence"]:
        return "incident.began"
    return entry.kind


def story(entries: Sequence[Entry], language: str) -> list[str]:
    """Every entry in words, in order."""
    return [sentence(entry, language) for entry in entries]
