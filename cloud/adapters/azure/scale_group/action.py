"""`scale_group` by Azure: the capacity of a scale set."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.azure.operations import address_of, come, set_of
from cloud.adapters.azure.session import AzureSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, GroupSize, Parameters, Word


class ScaleGroup(Doing):
    """Sets a number: asking again changes nothing."""

    word: ClassVar[Word] = VOCABULARY["scale_group"]
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachineScaleSets/read",
        "Microsoft.Compute/virtualMachineScaleSets/write",
        "Microsoft.Compute/locations/operations/read",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: AzureSession, parameters: GroupSize) -> Sight:
        """The scale set and its capacity."""
        size = int(set_of(session, parameters.group, parameters.place).sku.capacity)
        return Sight(
            (address_of(session, "group", parameters.group, parameters.place),),
            change=f"{parameters.group} from {size} to {parameters.size} machines",
            group_size=size,
            before={"size": size},
        )

    def act(
        self,
        session: AzureSession,
        parameters: GroupSize,
        sight: Sight,  # noqa: ARG002 (the protocol's)
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt:
        """Set the capacity."""
        return session.begin(
            "scale_sets.begin_update",
            session.compute.virtual_machine_scale_sets.begin_update,
            session.where(parameters.place),
            parameters.group,
            {"sku": {"capacity": parameters.size}},
        )

    def progress(self, session: AzureSession, parameters: GroupSize, receipt: Receipt) -> Progress:  # noqa: ARG002
        """The operation, which ends when the machines are there."""
        return come(session, receipt)

    def undo(self, parameters: GroupSize, before: Json) -> Parameters | None:
        """The capacity before."""
        return parameters.model_copy(update={"size": before["size"]})
