"""Rollouts of the platform as playbooks: canary and rolling, stopped and undone by our own alerts.

In: what is rolled out, and which alerts stop it. Out: the text of a playbook, which people approve and the
healing executes. Refused: shares that do not grow, and nothing to roll out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import yaml

from alertsite.core.durations import format_duration_ms
from alertsite.core.errors import InvalidParameter, PlatformError
from rules.language.format import quote

CANARY_ALERTS: Final = ("NotificationDead", "CanaryMissing", "AlertLimitExceeded")
"""Of the platform's own, those that a bad release raises first."""
_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
"""What a regular expression would read as more than itself."""
_NEVER: Final = "vector(0) > 0"
"""A check that fails."""


class UnknownAlert(PlatformError):
    """A rollout would be stopped by an alert that nothing can raise."""

    code = "rollout.unknown_alert"

    def __init__(self, name: str, known: Collection[str]) -> None:
        near = get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)[:10]
        super().__init__(f"no rule raises {name!r}; there are {', '.join(near)}")


@dataclass(frozen=True, slots=True)
class Watch:
    """What stops a rollout: these alerts, firing at the end of any soak."""

    alertnames: tuple[str, ...] = CANARY_ALERTS
    soak_ms: int = 300_000

    @property
    def quiet(self) -> str:
        """PromQL that has a series while none of the alerts fires."""
        names = quote("|".join(_SPECIAL.sub(r"\\\g<0>", name) for name in self.alertnames))
        return f'absent(ALERTS{{alertstate="firing", alertname=~{names}}})'

    def check(self, known: Collection[str]) -> None:
        """Refuse alerts that are not known: their silence would prove nothing.

        Raises
        ------
        InvalidParameter, UnknownAlert
        """
        if not self.alertnames:
            raise InvalidParameter("alertnames", (), "at least one alert that stops the rollout")
        for name in self.alertnames:
            if name not in known:
                raise UnknownAlert(name, known)


@dataclass(frozen=True, slots=True)
class Canary:
    """The new release beside the old, as two services of one size; it takes its share by replicas."""

    account: str
    old: str
    new: str
    replicas: int
    shares: tuple[float, ...] = (0.1, 0.5, 1.0)


def canary_playbook(canary: Canary, watch: Watch) -> str:
    """Grow the new service share by share, the old one gone at the end. Every step has its inverse, so a
    check that fails brings back what was.

    Raises
    ------
    InvalidParameter
    """
    shares = canary.shares
    if not shares or list(shares) != sorted(set(shares)) or shares[0] <= 0 or shares[-1] != 1:
        raise InvalidParameter("shares", shares, "growing numbers above 0 that end with 1")
    if canary.replicas < 1:
        raise InvalidParameter("replicas", canary.replicas, "1 or more")
    steps: list[dict[str, Any]] = [_check(watch)]
    for share in shares:
        steps += [_scale(canary, canary.new, math.ceil(share * canary.replicas)), *_soaked(watch)]
    steps += [_scale(canary, canary.old, 0), *_soaked(watch)]
    return _playbook(f"canary of {canary.new}", steps, watch)


def rolling_playbook(account: str, services: Sequence[str], watch: Watch) -> str:
    """Restart services one after another on what was applied; the one after which an alert fires goes back to
    its revision before, and those that follow are not touched.

    Raises
    ------
    InvalidParameter
    """
    if not services:
        raise InvalidParameter("services", services, "at least one")
    steps: list[dict[str, Any]] = [_check(watch)]
    for number, service in enumerate(services):
        steps += _rolled(account, service, f"quiet_{number}", watch)
    return _playbook(f"rollout of {', '.join(services)}"[:200], steps, watch)


def _rolled(account: str, service: str, key: str, watch: Watch) -> Iterator[dict[str, Any]]:
    on = {"account": account, "with": {"service": service}}
    yield {"action": "restart_service", **on}
    yield {"wait": format_duration_ms(watch.soak_ms)}
    yield {"id": key, "required": False, **_check(watch)}
    # A rollback would take the undoing back as well; the check after it ends the run.
    yield {"action": "undo_rollout", **on, "if": f"not results.{key}.held", "undo": False}
    yield {"check": _NEVER, "if": f"not results.{key}.held"}


def _check(watch: Watch) -> dict[str, Any]:
    return {"check": watch.quiet}


def _soaked(watch: Watch) -> Iterator[dict[str, Any]]:
    yield {"wait": format_duration_ms(watch.soak_ms)}
    yield _check(watch)


def _scale(canary: Canary, service: str, replicas: int) -> dict[str, Any]:
    return {
        "action": "scale_service",
        "account": canary.account,
        "with": {"service": service, "size": replicas},
    }


def _playbook(name: str, steps: Sequence[Mapping[str, Any]], watch: Watch) -> str:
    actions = sum("action" in step for step in steps)  # each counts what it touches, the same service again
    document = {
        "playbook": name,
        "trigger": {"manual": True},
        "approval": {"medium": "one"},
        "limits": {"per_run": actions, "per_hour": actions, "share": 1.0, "concurrent": 1},
        "verify": {"expr": watch.quiet, "for": format_duration_ms(watch.soak_ms)},
        "steps": list(steps),
    }
    return yaml.safe_dump(document, sort_keys=False, width=100)
