"""What the actions on machines share: reading one, and its state as progress."""

from __future__ import annotations

from typing import Any

from cloud.adapters.aws.session import AwsSession
from cloud.adapters.errors import ResourceGone
from cloud.adapters.protocol import Progress, Stage
from cloud.adapters.vocabulary import Instance


def instance_of(session: AwsSession, parameters: Instance) -> Any:
    """The machine as EC2 describes it.

    Raises
    ------
    ResourceGone
    """
    found = session.ask("ec2", "describe_instances", parameters.place, InstanceIds=[parameters.instance])[
        "Reservations"
    ]
    if not found or found[0]["Instances"][0]["State"]["Name"] == "terminated":
        raise ResourceGone(f"instance {parameters.instance} is terminated")
    return found[0]["Instances"][0]


def state_of(session: AwsSession, parameters: Instance) -> str:
    """Such as `running`."""
    return str(instance_of(session, parameters)["State"]["Name"])


def reached(session: AwsSession, parameters: Instance, wanted: str) -> Progress:
    """Whether it has the state."""
    state = state_of(session, parameters)
    return Progress(Stage.DONE if state == wanted else Stage.RUNNING, state)


def running_well(session: AwsSession, parameters: Instance) -> Progress:
    """Whether it runs and passes the checks of EC2."""
    state = state_of(session, parameters)
    if state != "running":
        return Progress(Stage.RUNNING, state)
    found = session.ask(
        "ec2", "describe_instance_status", parameters.place, InstanceIds=[parameters.instance]
    )["InstanceStatuses"]
    checks = {one[part]["Status"] for one in found for part in ("InstanceStatus", "SystemStatus")}
    if checks == {"ok"}:
        return Progress(Stage.DONE, "running, and its checks pass")
    return Progress(Stage.RUNNING, f"running, checks: {', '.join(sorted(checks)) or 'none yet'}")
