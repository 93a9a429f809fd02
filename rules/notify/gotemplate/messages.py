"""A group of alerts as Alertmanager's templates see it: `.Alerts.Firing`, `.CommonLabels.SortedPairs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from rules.notify.gotemplate.times import Time
from rules.notify.gotemplate.values import Function, StringMap, Struct, Value, WithMethods

_FIRST = ("alertname",)
"""Labels that come before all others."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """What a template may know of one alert."""

    status: str
    """`firing` or `resolved`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    url: str
    fingerprint: str
    ours: Mapping[str, Value] = field(default_factory=dict)
    """What Alertmanager has not, by the name templates know it by."""

    def to_struct(self) -> Struct:
        """With Alertmanager's names. An alert that has not ended ends at Go's zero time."""
        fields = {
            "Status": self.status,
            "Labels": KeyValues(self.labels),
            "Annotations": KeyValues(self.annotations),
            "StartsAt": Time(self.starts_at),
            "EndsAt": Time(self.ends_at) if self.ends_at else Time.zero(),
            "GeneratorURL": self.url,
            "Fingerprint": self.fingerprint,
            **self.ours,
        }
        return Struct("alert", fields)


def group_struct(
    receiver: str, group_labels: Mapping[str, str], alerts: Sequence[AlertView], external_url: str
) -> Struct:
    """The data of a notification about a group of alerts. It fires while any of its alerts does."""
    firing = any(alert.status == "firing" for alert in alerts)
    fields = {
        "Receiver": receiver,
        "Status": "firing" if firing else "resolved",
        "Alerts": Alerts(alert.to_struct() for alert in alerts),
        "GroupLabels": KeyValues(group_labels),
        "CommonLabels": KeyValues(_common([alert.labels for alert in alerts])),
        "CommonAnnotations": KeyValues(_common([alert.annotations for alert in alerts])),
        "ExternalURL": external_url,
    }
    return Struct("notification", fields)


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all of them share."""
    if not maps:
        return {}
    shared = set(maps[0].items()).intersection(*(mapping.items() for mapping in maps[1:]))
    return dict(shared)


class Pairs(tuple[Struct, ...], WithMethods):
    """Labels in order, each with `.Name` and `.Value`."""

    __slots__ = ()
    methods: ClassVar[Mapping[str, Function]]

    def column(self, name: str) -> tuple[Value, ...]:
        """All names, or all values."""
        return tuple(pair.fields[name] for pair in self)


class KeyValues(StringMap, WithMethods):
    """Labels or annotations."""

    methods: ClassVar[Mapping[str, Function]]

    def pairs(self) -> Pairs:
        """Sorted by name, `alertname` first."""
        names = sorted(self, key=lambda name: (name not in _FIRST, name))
        return Pairs(Struct("pair", {"Name": name, "Value": self[name]}) for name in names)

    def without(self, names: tuple[Value, ...]) -> KeyValues:
        """All but some."""
        return KeyValues({name: value for name, value in self.items() if name not in names})


class Alerts(tuple[Struct, ...], WithMethods):
    """The alerts of a group."""

    __slots__ = ()
    methods: ClassVar[Mapping[str, Function]]

    def of_status(self, status: str) -> Alerts:
        """Those that fire, or are resolved."""
        return Alerts(alert for alert in self if alert.fields["Status"] == status)


Pairs.methods = {
    "Names": Function(lambda pairs: pairs.column("Name"), (Pairs,)),
    "Values": Function(lambda pairs: pairs.column("Value"), (Pairs,)),
}
KeyValues.methods = {
    "SortedPairs": Function(KeyValues.pairs, (KeyValues,)),
    "Names": Function(lambda labels: labels.pairs().column("Name"), (KeyValues,)),
    "Values": Function(lambda labels: labels.pairs().column("Value"), (KeyValues,)),
    "Remove": Function(KeyValues.without, (KeyValues, tuple)),
}
Alerts.methods = {
    "Firing": Function(lambda alerts: alerts.of_status("firing"), (Alerts,)),
    "Resolved": Function(lambda alerts: alerts.of_status("resolved"), (Alerts,)),
}
