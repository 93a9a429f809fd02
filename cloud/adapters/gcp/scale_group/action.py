"""`scale_group` by Google Cloud: `instanceGroupManagers.resize`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.gcp.operations import address_of, group_of, receipt_of, stable
from cloud.adapters.gcp.session import GcpSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, GroupSize, Parameters, Word


class ScaleGroup(Doing):
    """Sets a number, and Google recognises the request by its key."""

    word: ClassVar[Word] = VOCABULARY["scale_group"]
    permissions: ClassVar[tuple[str, ...]] = (
        "compute.instanceGroupManagers.get",
        "compute.instanceGroupManagers.update",
        "compute.zoneOperations.get",
    )
    repeat: ClassVar[Repeat] = Repeat.KEYED

    def look(self, session: GcpSession, parameters: GroupSize) -> Sight:
        """The group and its size."""
        size = group_of(session, parameters.group, parameters.place).target_size
        return Sight(
            (address_of(session, "group", parameters.group, parameters.place),),
            change=f"{parameters.group} from {size} to {parameters.size} machines",
            group_size=size,
            before={"size": size},
        )

    def act(self, session: GcpSession, parameters: GroupSize, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Set the number."""
        operation = session.ask(
            "groups.resize",
            session.groups.resize_unary,
            **session.where(parameters.place),
            instance_group_manager=parameters.group,
            size=parameters.size,
            request_id=request_id(key),
        )
        return receipt_of(operation, parameters.place)

    def progress(self, session: GcpSession, parameters: GroupSize, receipt: Receipt) -> Progress:
        """The operation, then whether the group has settled."""
        return stable(session, receipt, parameters.group)

    def undo(self, parameters: GroupSize, before: Json) -> Parameters | None:
        """The number before."""
        return parameters.model_copy(update={"size": before["size"]})
