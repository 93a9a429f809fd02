"""What the actions on ECS services share."""

from __future__ import annotations

from typing import Any

from cloud.adapters.aws.session import AwsSession
from cloud.adapters.errors import ResourceGone
from cloud.adapters.protocol import Progress, Stage
from cloud.adapters.vocabulary import Service


def cluster_of(parameters: Service) -> str:
    """The cluster that is meant."""
    return parameters.space or "default"


def address_of(parameters: Service) -> str:
    """How a service is named in limits and reports."""
    return f"service/{cluster_of(parameters)}/{parameters.service}"


def service_of(session: AwsSession, parameters: Service) -> Any:
    """The service as ECS describes it.

    Raises
    ------
    ResourceGone
    """
    found = session.ask(
        "ecs",
        "describe_services",
        parameters.place,
        cluster=cluster_of(parameters),
        services=[parameters.service],
    )["services"]
    if not found or found[0]["status"] == "INACTIVE":
        raise ResourceGone(f"there is no service {parameters.service!r} in {cluster_of(parameters)}")
    return found[0]


def deployments_of(service: Any) -> list[str]:
    """Identifiers of its deployments."""
    return [str(each["id"]) for each in service["deployments"]]


def steady(service: Any) -> Progress:
    """Whether one deployment is left and runs as many tasks as are wanted."""
    for each in service["deployments"]:
        if each["status"] == "PRIMARY" and each.get("rolloutState") == "FAILED":
            return Progress(Stage.FAILED, str(each.get("rolloutStateReason", "rollout failed")))
    running, wanted, rollouts = service["runningCount"], service["desiredCount"], len(service["deployments"])
    done = running == wanted and rollouts == 1
    return Progress(
        Stage.DONE if done else Stage.RUNNING, f"{running} of {wanted} running, {rollouts} deployments"
    )
