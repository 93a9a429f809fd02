"""A Docker engine in memory: containers and images.

Requests of the engine's API go in; what it answers comes out. Each start gives a container another moment of
start, as an engine's clock would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cloud.simulators.server import Answer, Asked, FaultKind, World

Object = dict[str, Any]

_FAULTS: Final[Mapping[FaultKind, tuple[int, str]]] = {
    FaultKind.EXPIRED: (401, "unauthorized"),
    FaultKind.FORBIDDEN: (403, "denied by policy"),
    FaultKind.THROTTLED: (429, "too many requests"),
    FaultKind.GONE: (404, "No such container"),
    FaultKind.QUOTA: (500, "write /var/lib/docker: no space left on device"),
    FaultKind.UNAVAILABLE: (503, "engine is shutting down"),
}


class Engine(World):
    """One engine."""

    def __init__(self) -> None:
        self.containers: dict[str, Object] = {}
        self.images: list[Object] = []
        self._ticks = 0

    def add(self, project: str, service: str, number: int, image: str = "app:1") -> None:
        """A container of a Compose service, running."""
        labels = {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "com.docker.compose.container-number": str(number),
        }
        config = {"Image": image, "Labels": labels, "Env": ["PASSWORD=simulated"]}
        identifier = self._made(f"{project}-{service}-{number}", config)
        self._start(identifier)

    def _made(self, name: str, config: Object) -> str:
        self._ticks += 1
        identifier = f"{self._ticks:064x}"
        self.containers[identifier] = {
            "Id": identifier,
            "Name": f"/{name}",
            "Config": config,
            "HostConfig": config.get("HostConfig", {}),
            "State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"},
        }
        return identifier

    def _start(self, identifier: str) -> None:
        self._ticks += 1
        moment = f"2026-01-01T00:{self._ticks // 60 % 60:02}:{self._ticks % 60:02}.{self._ticks:09}Z"
        self.containers[identifier]["State"] = {"Status": "running", "StartedAt": moment}

    def answer(self, asked: Asked) -> Answer:
        """Do what was asked."""
        path = re.sub(r"^/v[0-9.]+", "", asked.path)
        found = re.fullmatch(r"/containers/([0-9a-f]{64})(?:/(json|restart|start|stop))?", path)
        if found:
            return self._container(asked, found.group(1), found.group(2) or "remove")
        if path == "/containers/json":
            return Answer(200, self._listed(json.loads(asked.query.get("filters", "{}"))))
        if path == "/containers/create":
            return Answer(201, {"Id": self._made(asked.query["name"], asked.json()), "Warnings": []})
        return self._engine(asked, path)

    def _engine(self, asked: Asked, path: str) -> Answer:
        if path == "/images/json":
            return Answer(200, self.images)
        if path == "/images/prune":
            gone = [each for each in self.images if not each["Containers"]]
            self.images = [each for each in self.images if each["Containers"]]
            freed = sum(each["Size"] for each in gone)
            deleted = [{"Deleted": each["Id"]} for each in gone]
            return Answer(200, {"ImagesDeleted": deleted, "SpaceReclaimed": freed})
        if path == "/version":
            return Answer(200, {"Version": "27.0.0", "ApiVersion": "1.46", "MinAPIVersion": "1.24"})
        return self.fault(FaultKind.GONE, asked)

    def _listed(self, filters: Mapping[str, list[str]]) -> list[Object]:
        wanted = dict(one.split("=", 1) for one in filters.get("label", []))
        return [
            {
                "Id": each["Id"],
                "Names": [each["Name"]],
                "Image": each["Config"]["Image"],
                "Labels": each["Config"]["Labels"],
                "State": each["State"]["Status"],
                "Status": "Up 1 hour",
            }
            for each in self.containers.values()
            if wanted.items() <= each["Config"]["Labels"].items()
        ]

    def _container(self, asked: Asked, identifier: str, verb: str) -> Answer:
        found = self.containers.get(identifier)
        if found is None:
            return self.fault(FaultKind.GONE, asked)
        if verb == "json":
            return Answer(200, found)
        if verb == "remove":
            del self.containers[identifier]
        elif verb == "stop":
            found["State"] = found["State"] | {"Status": "exited"}
        else:
            self._start(identifier)
        return Answer(204)

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:  # noqa: ARG002 (the protocol's)
        """An error of the engine's, or of a proxy before it."""
        status, message = _FAULTS[kind]
        headers = {"Retry-After": "7"} if kind is FaultKind.THROTTLED else {}
        return Answer(status, {"message": message}, headers)


def furnished() -> Engine:
    """A service `api` of the project `shop` with two containers, and three images of which one is used."""
    engine = Engine()
    for number in (1, 2):
        engine.add("shop", "api", number)
    for number, used in enumerate((2, 0, 0)):
        engine.images.append({"Id": f"sha256:{number:064x}", "Containers": used, "Size": 50_000_000})
    return engine
