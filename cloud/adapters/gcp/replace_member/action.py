"""`replace_member` by Google Cloud: `instanceGroupManagers.recreateInstances`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.errors import ResourceGone
from cloud.adapters.gcp.operations import address_of, members_of, receipt_of, stable
from cloud.adapters.gcp.session import GcpSession, request_id
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, GroupMember, Word


class ReplaceMember(Doing):
    """Deletes a machine and makes it anew under its name; Google recognises the request by its key."""

    word: ClassVar[Word] = VOCABULARY["replace_member"]
    permissions: ClassVar[tuple[str, ...]] = (
        "compute.instanceGroupManagers.get",
        "compute.instanceGroupManagers.update",
        "compute.zoneOperations.get",
    )
    repeat: ClassVar[Repeat] = Repeat.KEYED

    def look(self, session: GcpSession, parameters: GroupMember) -> Sight:
        """The machine and the size of its group.

        Raises
        ------
        ResourceGone
            If it is none of the group's.
        """
        members = members_of(session, parameters.group, parameters.place)
        found = [each for each in members if each.rpartition("/")[2] == parameters.instance]
        if not found:
            raise ResourceGone(f"{parameters.instance} is no member of {parameters.group}")
        return Sight(
            (address_of(session, "instance", parameters.instance, parameters.place),),
            change=f"delete {parameters.instance} and make it anew",
            group_size=len(members),
            before={"address": found[0]},
        )

    def act(self, session: GcpSession, parameters: GroupMember, sight: Sight, *, key: str) -> Receipt:
        """Have it made anew."""
        operation = session.ask(
            "groups.recreate_instances",
            session.groups.recreate_instances_unary,
            **session.where(parameters.place),
            instance_group_manager=parameters.group,
            instance_group_managers_recreate_instances_request_resource={
                "instances": [sight.before["address"]]
            },
            request_id=request_id(key),
        )
        return receipt_of(operation, parameters.place)

    def progress(self, session: GcpSession, parameters: GroupMember, receipt: Receipt) -> Progress:
        """The operation, then whether the group has settled."""
        return stable(session, receipt, parameters.group)
