"""Compute Engine in memory: machines, managed groups and operations of one project.

Requests of `compute/v1` go in; resources and operations as its contract describes them come out. Time passes
by readings: an operation ends after so many, and what it changed is seen after some more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloud.simulators.server import Answer, Asked, FaultKind, World

Object = dict[str, Any]
ROOT: Final = "https://www.googleapis.com/compute/v1"

_FAULTS: Final[Mapping[FaultKind, tuple[int, str, str]]] = {
    FaultKind.EXPIRED: (401, "authError", "Request had invalid authentication credentials."),
    FaultKind.FORBIDDEN: (403, "forbidden", "Required 'compute.instances.reset' permission."),
    FaultKind.THROTTLED: (429, "rateLimitExceeded", "Rate Limit Exceeded"),
    FaultKind.GONE: (404, "notFound", "The resource was not found"),
    FaultKind.QUOTA: (403, "quotaExceeded", "Quota 'CPUS' exceeded. Limit: 24.0"),
    FaultKind.UNAVAILABLE: (503, "backendError", "Backend Error"),
}


@dataclass
class Operation:
    """Something under way. `effect` happens at its end."""

    body: Object
    effect: Callable[[], None]
    readings: int
    error: Object | None = None


@dataclass
class Project(World):
    """One project.

    Attributes
    ----------
    readings
        How often an operation is read before it is done.
    lag
        How often a machine is read as it was, after it has changed.
    failing
        Code with which the next operation ends; empty: it succeeds.
    """

    name: str = "simulated-project"
    readings: int = 2
    lag: int = 1
    failing: str = ""
    instances: dict[tuple[str, str], Object] = field(default_factory=dict)
    groups: dict[tuple[str, str], Object] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    by_request: dict[str, str] = field(default_factory=dict)
    boots: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often each machine was started or reset."""
    _stale: dict[tuple[str, str], tuple[int, Object]] = field(default_factory=dict)

    def add_instance(self, zone: str, name: str, *, group: str = "") -> None:
        """A machine that runs."""
        metadata = [{"key": "created-by", "value": f"{self._zone(zone)}/instanceGroupManagers/{group}"}]
        self.boots[zone, name] = self.boots.get((zone, name), 0) + 1
        self.instances[zone, name] = {
            "kind": "compute#instance",
            "id": str(1000 + len(self.instances)),
            "name": name,
            "zone": self._zone(zone),
            "selfLink": f"{self._zone(zone)}/instances/{name}",
            "machineType": f"{self._zone(zone)}/machineTypes/e2-small",
            "status": "RUNNING",
            "labels": {"service": "api"},
            "metadata": {"kind": "compute#metadata", "items": metadata if group else []},
        }

    def add_group(self, zone: str, name: str, size: int) -> None:
        """A managed group with its machines."""
        self.groups[zone, name] = {
            "kind": "compute#instanceGroupManager",
            "name": name,
            "zone": self._zone(zone),
            "targetSize": 0,
            "status": {"isStable": True},
        }
        self._resize(zone, name, size)

    def _zone(self, zone: str) -> str:
        return f"{ROOT}/projects/{self.name}/zones/{zone}"

    # Requests.

    def answer(self, asked: Asked) -> Answer:
        """Do what was asked."""
        found = re.fullmatch(r"/compute/v1/projects/([^/]+)(?:/(.*))?", asked.path)
        if not found or found.group(1) != self.name:
            return self.fault(FaultKind.GONE, asked)
        rest = (found.group(2) or "").split("/")
        if rest == [""]:
            return Answer(200, {"kind": "compute#project", "name": self.name})
        if rest[0] == "aggregated":
            return self._aggregated(rest[1], asked)
        _, zone, kind, name, *verb = rest
        return self._zonal(asked, (zone, kind, name), verb[0] if verb else "")

    def _zonal(self, asked: Asked, address: tuple[str, str, str], verb: str) -> Answer:
        zone, kind, name = address
        if kind == "operations":
            return self._operation(name, asked)
        things = self.instances if kind == "instances" else self.groups
        if (zone, name) not in things:
            return self.fault(FaultKind.GONE, asked)
        if not verb:
            return Answer(200, self._read(zone, name) if kind == "instances" else things[zone, name])
        if verb == "listManagedInstances":
            return Answer(200, {"managedInstances": self._managed(zone, name)})
        return self._begin(asked, zone, name, verb)

    def changes(self, asked: Asked) -> bool:
        """One reading method is a `POST`."""
        return asked.method != "GET" and not asked.path.endswith("/listManagedInstances")

    def _aggregated(self, kind: str, asked: Asked) -> Answer:
        things = self.instances if kind == "instances" else self.groups
        start, limit = int(asked.query.get("pageToken") or 0), int(asked.query.get("maxResults", 500))
        scopes: dict[str, Object] = {}
        for (zone, _), thing in list(things.items())[start : start + limit]:
            scopes.setdefault(f"zones/{zone}", {kind: []})[kind].append(thing)
        following = {"nextPageToken": str(start + limit)} if start + limit < len(things) else {}
        return Answer(200, {"id": f"projects/{self.name}/aggregated/{kind}", "items": scopes} | following)

    def _read(self, zone: str, name: str) -> Object:
        left, old = self._stale.get((zone, name), (0, {}))
        if left > 0:
            self._stale[zone, name] = (left - 1, old)
            return old
        return self.instances[zone, name]

    def _managed(self, zone: str, group: str) -> list[Object]:
        return [
            {"instance": one["selfLink"], "instanceStatus": one["status"], "currentAction": "NONE"}
            for (where, _), one in self.instances.items()
            if where == zone and any(item["value"].endswith(f"/{group}") for item in one["metadata"]["items"])
        ]

    # What takes a while.

    def _begin(self, asked: Asked, zone: str, name: str, verb: str) -> Answer:
        effects: dict[str, Callable[[], None]] = {
            "reset": lambda: self._power(zone, name, "RUNNING", boots=True),
            "start": lambda: self._power(zone, name, "RUNNING", boots=self._is_off(zone, name)),
            "stop": lambda: self._power(zone, name, "TERMINATED", boots=False),
            "resize": lambda: self._resize(zone, name, int(asked.query["size"])),
            "recreateInstances": lambda: self._recreate(zone, asked.json()["instances"]),
        }
        request = asked.query.get("requestId", "")
        if request and request in self.by_request:
            return Answer(200, self.operations[self.by_request[request]].body)
        operation = f"operation-{len(self.operations) + 1}"
        body = {
            "kind": "compute#operation",
            "id": str(len(self.operations) + 1),
            "name": operation,
            "zone": self._zone(zone),
            "operationType": verb,
            "status": "PENDING",
            "progress": 0,
            "targetLink": f"{self._zone(zone)}/instances/{name}",
            "selfLink": f"{self._zone(zone)}/operations/{operation}",
        }
        fault = {"code": self.failing, "message": "as it was asked to"}
        error = {"errors": [fault]} if self.failing else None
        self.failing = ""
        self.operations[operation] = Operation(body, effects[verb], self.readings, error)
        if request:
            self.by_request[request] = operation
        if (zone, name) in self.groups:
            self.groups[zone, name]["status"]["isStable"] = False
        return Answer(200, body)

    def _operation(self, name: str, asked: Asked) -> Answer:
        operation = self.operations.get(name)
        if operation is None:
            return self.fault(FaultKind.GONE, asked)
        if operation.body["status"] != "DONE":
            operation.readings -= 1
            operation.body |= {"status": "RUNNING", "progress": 50}
            if operation.readings <= 0:
                self._end(operation)
        return Answer(200, operation.body)

    def _end(self, operation: Operation) -> None:
        operation.body |= {"status": "DONE", "progress": 100}
        if operation.error:
            operation.body |= {"error": operation.error, "httpErrorStatusCode": 400}
        else:
            operation.effect()
        for group in self.groups.values():
            group["status"]["isStable"] = True

    def _is_off(self, zone: str, name: str) -> bool:
        return bool(self.instances[zone, name]["status"] == "TERMINATED")

    def _power(self, zone: str, name: str, status: str, *, boots: bool) -> None:
        self._stale[zone, name] = (self.lag, dict(self.instances[zone, name]))
        self.instances[zone, name]["status"] = status
        self.boots[zone, name] += boots

    def _resize(self, zone: str, name: str, size: int) -> None:
        group = self.groups[zone, name]
        for number in range(group["targetSize"], size):
            self.add_instance(zone, f"{name}-{number}", group=name)
        for number in range(size, group["targetSize"]):
            del self.instances[zone, f"{name}-{number}"]
        group["targetSize"] = size

    def _recreate(self, zone: str, addresses: list[str]) -> None:
        for address in addresses:
            self.boots[zone, address.rpartition("/")[2]] += 1

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:  # noqa: ARG002 (the protocol's)
        """An error of Google's."""
        status, reason, message = _FAULTS[kind]
        one = {"message": message, "domain": "global", "reason": reason}
        headers = {"Retry-After": "7"} if kind is FaultKind.THROTTLED else {}
        return Answer(status, {"error": {"code": status, "message": message, "errors": [one]}}, headers)

    def set(self, knobs: Mapping[str, Any]) -> None:
        """`readings`, `lag`, `failing`."""
        self.readings = int(knobs.get("readings", self.readings))
        self.lag = int(knobs.get("lag", self.lag))
        self.failing = str(knobs.get("failing", self.failing))


def furnished() -> Project:
    """A machine `web-1` and a group `workers` of two, in the zone `europe-west1-b`."""
    project = Project()
    project.add_instance("europe-west1-b", "web-1")
    project.add_group("europe-west1-b", "workers", 2)
    return project
