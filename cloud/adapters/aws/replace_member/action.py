"""`replace_member` by AWS: `TerminateInstanceInAutoScalingGroup`, whose place the group fills."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.groups import full, group_of
from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.errors import ResourceGone
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, GroupMember, Word


class ReplaceMember(Doing):
    """A machine is terminated once; whether it has left the group can be seen."""

    word: ClassVar[Word] = VOCABULARY["replace_member"]
    permissions: ClassVar[tuple[str, ...]] = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
    )
    repeat: ClassVar[Repeat] = Repeat.OBSERVED

    def look(self, session: AwsSession, parameters: GroupMember) -> Sight:
        """The machine and the size of its group.

        Raises
        ------
        ResourceGone
            If it is none of the group's.
        """
        group = group_of(session, parameters.group, parameters.place)
        members = [each["InstanceId"] for each in group["Instances"]]
        if parameters.instance not in members:
            raise ResourceGone(f"{parameters.instance} is no member of {parameters.group}")
        return Sight(
            (parameters.instance,),
            change=f"terminate {parameters.instance}; {parameters.group} starts another",
            group_size=len(members),
            before={"members": members},
        )

    def act(self, session: AwsSession, parameters: GroupMember, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Terminate it without making the group smaller."""
        answer = session.ask(
            "autoscaling",
            "terminate_instance_in_auto_scaling_group",
            parameters.place,
            InstanceId=parameters.instance,
            ShouldDecrementDesiredCapacity=False,
        )
        return Receipt({"instance": parameters.instance}, request_id(answer))

    def happened(
        self,
        session: AwsSession,
        parameters: GroupMember,
        before: Json,  # noqa: ARG002 (the protocol's)
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt | None:
        """If it has left, or is leaving."""
        group = group_of(session, parameters.group, parameters.place)
        staying = [
            each["InstanceId"]
            for each in group["Instances"]
            if not each["LifecycleState"].startswith("Terminat")
        ]
        return None if parameters.instance in staying else Receipt({"instance": parameters.instance})

    def progress(self, session: AwsSession, parameters: GroupMember, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether it is gone and the group is full again."""
        group = group_of(session, parameters.group, parameters.place)
        if parameters.instance in [each["InstanceId"] for each in group["Instances"]]:
            return Progress(Stage.RUNNING, f"{parameters.instance} is still leaving")
        return full(group)
