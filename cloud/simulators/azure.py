"""Azure's resource manager in memory: virtual machines, scale sets and operations of one subscription.

Requests of `Microsoft.Compute` go in; resources and operations as its contract describes them come out. Time
passes by readings: an operation ends after so many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cloud.simulators.server import Answer, Asked, FaultKind, World

Object = dict[str, Any]
PAGE: Final = 500

_FAULTS: Final[Mapping[FaultKind, tuple[int, str]]] = {
    FaultKind.EXPIRED: (401, "ExpiredAuthenticationToken"),
    FaultKind.FORBIDDEN: (403, "AuthorizationFailed"),
    FaultKind.THROTTLED: (429, "TooManyRequests"),
    FaultKind.GONE: (404, "ResourceNotFound"),
    FaultKind.QUOTA: (409, "QuotaExceeded"),
    FaultKind.UNAVAILABLE: (503, "ServiceUnavailable"),
}
_LIST: Final = re.compile(r".*/providers/Microsoft\.Compute/(virtualMachines|virtualMachineScaleSets)")
_RESOURCE: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/([^/]+)/providers/Microsoft\.Compute/"
    r"(virtualMachines|virtualMachineScaleSets)/([^/]+)(?:/(.*))?",
    re.IGNORECASE,
)


@dataclass
class Operation:
    """Something under way. `effect` happens at its end, unless `fault` names why it fails."""

    effect: Callable[[], None]
    readings: int
    fault: str = ""
    status: str = "InProgress"


@dataclass
class Subscription(World):
    """One subscription.

    Attributes
    ----------
    readings
        How often an operation is read before it is done.
    failing
        Code with which the next operation ends; empty: it succeeds.
    """

    id: str = "00000000-0000-4000-8000-000000000001"
    readings: int = 2
    failing: str = ""
    machines: dict[tuple[str, str], str] = field(default_factory=dict)
    """Power state of each machine."""
    sets: dict[tuple[str, str], int] = field(default_factory=dict)
    """Capacity of each scale set."""
    boots: dict[str, int] = field(default_factory=dict)
    """How often each machine was started, restarted or given its image anew."""
    operations: dict[str, Operation] = field(default_factory=dict)

    # Requests.

    def answer(self, asked: Asked) -> Answer:
        """Do what was asked."""
        if asked.path == f"/subscriptions/{self.id}":
            return Answer(200, {"id": asked.path, "displayName": "Simulated"})
        if asked.path.endswith("/providers/Microsoft.Insights/metrics"):
            return Answer(200, _metrics(asked))
        operation = re.fullmatch(r".*/locations/[^/]+/operations/([^/]+)", asked.path)
        if operation:
            return self._operation(operation.group(1), asked)
        listed = _LIST.fullmatch(asked.path)
        if listed:
            return self._listed(listed.group(1), asked)
        found = _RESOURCE.fullmatch(asked.path)
        return self._resource(asked, *found.groups()) if found else self.fault(FaultKind.GONE, asked)

    def _resource(self, asked: Asked, group: str, kind: str, name: str, verb: str | None) -> Answer:
        known = self.machines if kind == "virtualMachines" else self.sets
        if (group, name) not in known:
            return self.fault(FaultKind.GONE, asked)
        if kind == "virtualMachines":
            return self._machine(asked, group, name, verb or "")
        return self._set(asked, group, name, verb or "")

    def _machine(self, asked: Asked, group: str, name: str, verb: str) -> Answer:
        if asked.method == "GET":
            shown = self._shown_machine(group, name)
            return Answer(200, shown["properties"]["instanceView"] if verb == "instanceView" else shown)
        effects: dict[str, tuple[str, bool]] = {
            "restart": ("running", True),
            "start": ("running", self.machines[group, name] != "running"),
            "powerOff": ("stopped", False),
        }
        state, boots = effects[verb]

        def effect() -> None:
            self.machines[group, name] = state
            self.boots[name] = self.boots.get(name, 0) + boots

        return self._begin(asked, effect)

    def _set(self, asked: Asked, group: str, name: str, verb: str) -> Answer:
        member = re.fullmatch(r"virtualmachines/([0-9]+)/(instanceView|reimage)", verb, re.IGNORECASE)
        if member and int(member.group(1)) >= self.sets[group, name]:
            return self.fault(FaultKind.GONE, asked)
        if member and member.group(2) == "instanceView":
            return Answer(200, {"statuses": [{"code": "PowerState/running", "displayStatus": "VM running"}]})
        if member:
            machine = f"{name}_{member.group(1)}"
            return self._begin(asked, lambda: self.boots.update({machine: self.boots.get(machine, 0) + 1}))
        if verb:
            return self.fault(FaultKind.GONE, asked)
        if asked.method == "GET":
            return Answer(200, self._shown_set(group, name))
        size = int(asked.json()["sku"]["capacity"])
        return self._begin(
            asked, lambda: self.sets.update({(group, name): size}), self._shown_set(group, name)
        )

    def _listed(self, kind: str, asked: Asked) -> Answer:
        known, show = (
            (self.machines, self._shown_machine)
            if kind == "virtualMachines"
            else (self.sets, self._shown_set)
        )
        start = int(asked.query.get("$skiptoken") or 0)
        rows = [show(*key) for key in list(known)[start : start + PAGE]]
        following = start + PAGE
        url = f"http://{asked.headers.get('host')}{asked.path}?api-version={asked.query.get('api-version')}"
        more = {"nextLink": f"{url}&$skiptoken={following}"} if following < len(known) else {}
        return Answer(200, {"value": rows} | more)

    # What takes a while.

    def _begin(self, asked: Asked, effect: Callable[[], None], body: Object | None = None) -> Answer:
        name = f"operation-{len(self.operations) + 1}"
        self.operations[name] = Operation(effect, self.readings, self.failing)
        self.failing = ""
        url = f"http://{asked.headers.get('host')}/subscriptions/{self.id}/providers/Microsoft.Compute"
        address = f"{url}/locations/westeurope/operations/{name}?api-version=2024-07-01"
        headers = {"Azure-AsyncOperation": address, "Location": address, "Retry-After": "1"}
        headers["x-ms-request-id"] = name
        return Answer(200 if body else 202, body, headers)

    def _operation(self, name: str, asked: Asked) -> Answer:
        operation = self.operations.get(name)
        if operation is None:
            return self.fault(FaultKind.GONE, asked)
        operation.readings -= 1
        if operation.status == "InProgress" and operation.readings <= 0:
            operation.status = "Failed" if operation.fault else "Succeeded"
            if not operation.fault:
                operation.effect()
        fault = (
            {"error": {"code": operation.fault, "message": "as it was asked to"}} if operation.fault else {}
        )
        shown = {"name": name, "status": operation.status}
        return Answer(200, shown | (fault if operation.status == "Failed" else {}))

    # How things look.

    def _shown_machine(self, group: str, name: str) -> Object:
        power = self.machines[group, name]
        statuses = [
            {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded",
            },
            {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"},
        ]
        return {
            "id": self._id(group, "virtualMachines", name),
            "name": name,
            "type": "Microsoft.Compute/virtualMachines",
            "location": "westeurope",
            "tags": {"service": "api"},
            "properties": {
                "vmId": "5c0d2f6e-0000-4000-8000-000000000000",
                "hardwareProfile": {"vmSize": "Standard_B2s"},
                "provisioningState": "Succeeded",
                "instanceView": {"statuses": statuses},
            },
        }

    def _shown_set(self, group: str, name: str) -> Object:
        return {
            "id": self._id(group, "virtualMachineScaleSets", name),
            "name": name,
            "type": "Microsoft.Compute/virtualMachineScaleSets",
            "location": "westeurope",
            "tags": {"service": "workers"},
            "sku": {"name": "Standard_B2s", "tier": "Standard", "capacity": self.sets[group, name]},
            "properties": {"provisioningState": "Succeeded"},
        }

    def _id(self, group: str, kind: str, name: str) -> str:
        return f"/subscriptions/{self.id}/resourceGroups/{group}/providers/Microsoft.Compute/{kind}/{name}"

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:  # noqa: ARG002 (the protocol's)
        """An error of the resource manager's."""
        status, code = _FAULTS[kind]
        headers = {"Retry-After": "7"} if kind is FaultKind.THROTTLED else {}
        return Answer(status, {"error": {"code": code, "message": "as it was asked to"}}, headers)

    def set(self, knobs: Mapping[str, Any]) -> None:
        """`readings`, `failing`."""
        self.readings = int(knobs.get("readings", self.readings))
        self.failing = str(knobs.get("failing", self.failing))


def _metrics(asked: Asked) -> Object:
    """The asked metric: one value a minute between the two moments of the time span."""
    name = asked.query["metricnames"]
    start, end = (datetime.fromisoformat(each) for each in asked.query["timespan"].split("/"))
    minutes = int((end - start).total_seconds() // 60)
    data = [
        {"timeStamp": (start + timedelta(minutes=number)).isoformat(), "average": float(number)}
        for number in range(minutes)
    ]
    label = {"value": name, "localizedValue": name}
    series = [{"metadatavalues": [], "data": data}]
    metric = {"id": asked.path, "type": "metric", "name": label, "unit": "Percent", "timeseries": series}
    return {"timespan": asked.query["timespan"], "interval": "PT1M", "value": [metric]}


def furnished() -> Subscription:
    """A machine `web-1` and a scale set `workers` of two, in the resource group `shop`."""
    subscription = Subscription()
    subscription.machines["shop", "web-1"] = "running"
    subscription.sets["shop", "workers"] = 2
    return subscription
