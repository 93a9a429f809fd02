"""`restart_instance` by AWS: `RebootInstances`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.instances import instance_of, running_well
from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.errors import ActionRefused
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Instance, Word


class RestartInstance(Doing):
    """EC2 leaves no trace of a reboot: the launch time stays. So it is not asked for twice."""

    word: ClassVar[Word] = VOCABULARY["restart_instance"]
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceStatus",
        "ec2:RebootInstances",
    )
    repeat: ClassVar[Repeat] = Repeat.NEVER

    def look(self, session: AwsSession, parameters: Instance) -> Sight:
        """The machine, which must run.

        Raises
        ------
        ActionRefused
        """
        found = instance_of(session, parameters)
        if found["State"]["Name"] != "running":
            raise ActionRefused(f"instance is {found['State']['Name']}, accepts running")
        return Sight((parameters.instance,), change=f"reboot {parameters.instance}")

    def act(self, session: AwsSession, parameters: Instance, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Reboot it."""
        answer = session.ask("ec2", "reboot_instances", parameters.place, InstanceIds=[parameters.instance])
        return Receipt({"instance": parameters.instance}, request_id(answer))

    def progress(self, session: AwsSession, parameters: Instance, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether it runs and its checks pass."""
        return running_well(session, parameters)
