"""Inhibition: an alert that fires keeps others quiet.

In: rules and the alerts that fire now. Out: for one alert, the rule and the alert that inhibit it, or
None. As in Alertmanager a label of `equal` that both alerts lack counts as equal, and an alert that
matches both sides of a rule is not inhibited by one for which the same is true, so by itself neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rules.alerts.matchers import Matchers, matches_all

_Shared: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InhibitionRule:
    """While an alert matches `source`, those that match `target` and agree on `equal` are quiet."""

    id: str
    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()

    def shared(self, labels: Mapping[str, str]) -> _Shared:
        """The values on which source and target must agree."""
        return tuple(labels.get(name, "") for name in self.equal)


class Inhibited(NamedTuple):
    """What keeps an alert quiet."""

    rule_id: str
    source_alert_id: str


class _Sources:
    """The firing alerts that match the source side of one rule, by the values they must share."""

    def __init__(self, rule: InhibitionRule) -> None:
        self.rule = rule
        self._any: dict[_Shared, str] = {}
        self._one_sided: dict[_Shared, str] = {}

    def add(self, alert_id: str, labels: Mapping[str, str]) -> None:
        """Keep an alert that fires, if it may inhibit."""
        if not matches_all(self.rule.source, labels):
            return
        shared = self.rule.shared(labels)
        self._any.setdefault(shared, alert_id)
        if not matches_all(self.rule.target, labels):
            self._one_sided.setdefault(shared, alert_id)

    def against(self, alert_id: str, labels: Mapping[str, str]) -> str | None:
        """The first firing alert that inhibits this one."""
        if not self._any or not matches_all(self.rule.target, labels):
            return None
        two_sided = matches_all(self.rule.source, labels)
        source = (self._one_sided if two_sided else self._any).get(self.rule.shared(labels))
        return None if source == alert_id else source


class InhibitionIndex:
    """Answers which firing alert inhibits a given one."""

    def __init__(
        self, rules: Sequence[InhibitionRule], firing: Iterable[tuple[str, Mapping[str, str]]]
    ) -> None:
        self._sources = [_Sources(rule) for rule in rules]
        if self._sources:
            for alert_id, labels in firing:
                for sources in self._sources:
                    sources.add(alert_id, labels)

    def inhibitor(self, alert_id: str, labels: Mapping[str, str]) -> Inhibited | None:
        """The first rule, in their order, by which a firing alert keeps this one quiet."""
        for sources in self._sources:
            source = sources.against(alert_id, labels)
            if source is not None:
                return Inhibited(sources.rule.id, source)
        return None
