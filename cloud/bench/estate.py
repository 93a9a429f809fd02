"""The process that simulates an estate of many machines. Knows no framework, so that it starts fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloud.simulators.gcp import Project
from cloud.simulators.server import SimulatorServer

ZONE: Final = "europe-west1-b"


class Estate(Project):
    """A project whose machines change on request."""

    def set(self, knobs: Mapping[str, Any]) -> None:
        """`change`: how many machines stop."""
        for name in list(self.instances)[: int(knobs.get("change", 0))]:
            self.instances[name]["status"] = "TERMINATED"


def serve(count: int, said: Any) -> None:
    """Serve so many machines; the address is sent through the pipe."""
    project = Estate()
    for number in range(count):
        project.add_instance(ZONE, f"machine-{number}")
    server = SimulatorServer(project)
    said.send(server.url)
    server.serve_forever()
