"""`replace_member` by Azure: a machine of a scale set, given the image anew."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.azure.operations import address_of, come, set_of
from cloud.adapters.azure.session import AzureSession
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, GroupMember, Word


class ReplaceMember(Doing):
    """Azure leaves no trace of a reimage, so it is not asked for twice."""

    word: ClassVar[Word] = VOCABULARY["replace_member"]
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachineScaleSets/read",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/reimage/action",
        "Microsoft.Compute/locations/operations/read",
    )
    repeat: ClassVar[Repeat] = Repeat.NEVER

    def look(self, session: AzureSession, parameters: GroupMember) -> Sight:
        """The machine, by its number in the set, and the set's capacity.

        Raises
        ------
        ResourceGone
        """
        found = set_of(session, parameters.group, parameters.place)
        session.call(
            "scale_set_vms.get_instance_view",
            session.compute.virtual_machine_scale_set_vms.get_instance_view,
            session.where(parameters.place),
            parameters.group,
            parameters.instance,
        )
        name = f"{parameters.group}/{parameters.instance}"
        return Sight(
            (address_of(session, "instance", name, parameters.place),),
            change=f"give machine {parameters.instance} of {parameters.group} its image anew",
            group_size=int(found.sku.capacity),
        )

    def act(
        self,
        session: AzureSession,
        parameters: GroupMember,
        sight: Sight,  # noqa: ARG002 (the protocol's)
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt:
        """Reimage it."""
        return session.begin(
            "scale_set_vms.begin_reimage",
            session.compute.virtual_machine_scale_set_vms.begin_reimage,
            session.where(parameters.place),
            parameters.group,
            parameters.instance,
        )

    def progress(self, session: AzureSession, parameters: GroupMember, receipt: Receipt) -> Progress:  # noqa: ARG002
        """The operation, which ends when the machine runs again."""
        return come(session, receipt)
