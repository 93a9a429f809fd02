"""What the actions on services share: a service is the containers with Compose's labels."""

from __future__ import annotations

from typing import Any, Final

from cloud.adapters.docker.session import DockerSession
from cloud.adapters.errors import ResourceGone
from cloud.adapters.protocol import Progress, Stage
from cloud.adapters.vocabulary import Service

PROJECT: Final = "com.docker.compose.project"
SERVICE: Final = "com.docker.compose.service"
NUMBER: Final = "com.docker.compose.container-number"


def containers_of(session: DockerSession, parameters: Service) -> list[Any]:
    """The service's containers, the stopped ones too, by their number.

    Raises
    ------
    ResourceGone
        If there is none.
    """
    labels = [f"{SERVICE}={parameters.service}"]
    labels += [f"{PROJECT}={parameters.space}"] if parameters.space else []
    found = session.ask("containers", all=True, filters={"label": labels})
    if not found:
        raise ResourceGone(f"no container has the label {' and '.join(labels)}")
    projects = {each["Labels"].get(PROJECT, "") for each in found}
    if len(projects) > 1:
        raise ResourceGone(f"service {parameters.service!r} is in {len(projects)} projects: name one")
    return sorted(found, key=number_of)


def number_of(container: Any) -> int:
    """Its place among the service's replicas."""
    text = container["Labels"].get(NUMBER, "1")
    return int(text) if text.isdigit() else 1


def started(session: DockerSession, identifier: str) -> str:
    """When a container was started last, as the engine tells it.

    Raises
    ------
    ResourceGone
    """
    return str(session.ask("inspect_container", identifier)["State"]["StartedAt"])


def address_of(parameters: Service) -> str:
    """How a service is named in limits and reports."""
    return f"service/{parameters.space}/{parameters.service}"


def running(containers: list[Any], wanted: int) -> Progress:
    """Whether that many run."""
    ready = sum(each["State"] == "running" for each in containers)
    done = ready == wanted == len(containers)
    return Progress(Stage.DONE if done else Stage.RUNNING, f"{ready} of {wanted} running")
