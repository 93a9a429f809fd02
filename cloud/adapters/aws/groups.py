"""What the actions on Auto Scaling groups share."""

from __future__ import annotations

from typing import Any

from cloud.adapters.aws.session import AwsSession
from cloud.adapters.errors import ResourceGone
from cloud.adapters.protocol import Progress, Stage


def group_of(session: AwsSession, name: str, place: str) -> Any:
    """The group as Auto Scaling describes it.

    Raises
    ------
    ResourceGone
    """
    found = session.ask("autoscaling", "describe_auto_scaling_groups", place, AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    if not found:
        raise ResourceGone(f"there is no Auto Scaling group {name!r}")
    return found[0]


def in_service(group: Any) -> list[str]:
    """The members that serve."""
    return [each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] == "InService"]


def full(group: Any) -> Progress:
    """Whether as many serve as are wanted, and no others are left."""
    ready, wanted = len(in_service(group)), group["DesiredCapacity"]
    done = ready == wanted == len(group["Instances"])
    return Progress(Stage.DONE if done else Stage.RUNNING, f"{ready} of {wanted} in service")
