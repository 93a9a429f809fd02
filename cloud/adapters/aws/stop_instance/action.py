"""`stop_instance` by AWS: `StopInstances`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.instances import instance_of, reached
from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Instance, Parameters, Word


class StopInstance(Doing):
    """Stop a machine. One that is stopped already stays so."""

    word: ClassVar[Word] = VOCABULARY["stop_instance"]
    permissions: ClassVar[tuple[str, ...]] = ("ec2:DescribeInstances", "ec2:StopInstances")
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: AwsSession, parameters: Instance) -> Sight:
        """The machine and its state."""
        state = instance_of(session, parameters)["State"]["Name"]
        return Sight(
            (parameters.instance,),
            change=f"stop {parameters.instance}, which is {state}",
            before={"state": state},
        )

    def act(self, session: AwsSession, parameters: Instance, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Stop it."""
        answer = session.ask("ec2", "stop_instances", parameters.place, InstanceIds=[parameters.instance])
        return Receipt({"instance": parameters.instance}, request_id(answer))

    def progress(self, session: AwsSession, parameters: Instance, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether it is stopped."""
        return reached(session, parameters, "stopped")

    def undo(self, parameters: Instance, before: Json) -> Parameters | None:
        """The state before, if it was another."""
        return parameters if before["state"] == "running" else None
