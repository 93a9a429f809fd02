"""`scale_group` by AWS: `SetDesiredCapacity`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.groups import full, group_of
from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.errors import ActionRefused
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, GroupSize, Parameters, Word


class ScaleGroup(Doing):
    """Sets a number: asking again changes nothing."""

    word: ClassVar[Word] = VOCABULARY["scale_group"]
    permissions: ClassVar[tuple[str, ...]] = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:SetDesiredCapacity",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: AwsSession, parameters: GroupSize) -> Sight:
        """The group and its size.

        Raises
        ------
        ActionRefused
            If the group's own bounds forbid the size.
        """
        group = group_of(session, parameters.group, parameters.place)
        size, low, high = group["DesiredCapacity"], group["MinSize"], group["MaxSize"]
        if not low <= parameters.size <= high:
            raise ActionRefused(f"size is {parameters.size}, the group accepts {low} to {high}")
        return Sight(
            (f"group/{parameters.group}",),
            change=f"{parameters.group} from {size} to {parameters.size} machines",
            group_size=size,
            before={"size": size},
        )

    def act(self, session: AwsSession, parameters: GroupSize, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Set the number."""
        answer = session.ask(
            "autoscaling",
            "set_desired_capacity",
            parameters.place,
            AutoScalingGroupName=parameters.group,
            DesiredCapacity=parameters.size,
            HonorCooldown=False,
        )
        return Receipt({"size": parameters.size}, request_id(answer))

    def progress(self, session: AwsSession, parameters: GroupSize, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether that many serve."""
        return full(group_of(session, parameters.group, parameters.place))

    def undo(self, parameters: GroupSize, before: Json) -> Parameters | None:
        """The number before."""
        return parameters.model_copy(update={"size": before["size"]})
