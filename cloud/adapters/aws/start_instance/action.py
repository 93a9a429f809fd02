"""`start_instance` by AWS: `StartInstances`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.instances import instance_of, running_well
from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Instance, Parameters, Word


class StartInstance(Doing):
    """Start a machine. One that is running already stays so."""

    word: ClassVar[Word] = VOCABULARY["start_instance"]
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceStatus",
        "ec2:StartInstances",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: AwsSession, parameters: Instance) -> Sight:
        """The machine and its state."""
        state = instance_of(session, parameters)["State"]["Name"]
        return Sight(
            (parameters.instance,),
            change=f"start {parameters.instance}, which is {state}",
            before={"state": state},
        )

    def act(self, session: AwsSession, parameters: Instance, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Start it."""
        answer = session.ask("ec2", "start_instances", parameters.place, InstanceIds=[parameters.instance])
        return Receipt({"instance": parameters.instance}, request_id(answer))

    def progress(self, session: AwsSession, parameters: Instance, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether it is running."""
        return running_well(session, parameters)

    def undo(self, parameters: Instance, before: Json) -> Parameters | None:
        """The state before, if it was another."""
        return parameters if before["state"] == "stopped" else None
