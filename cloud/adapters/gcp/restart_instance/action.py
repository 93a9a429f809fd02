"""`restart_instance` by Google Cloud: `instances.reset`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.errors import ActionRefused
from cloud.adapters.gcp.operations import address_of, instance_of, reached, receipt_of
from cloud.adapters.gcp.session import GcpSession, request_id
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Instance, Word


class RestartInstance(Doing):
    """Reset a machine, as its button would. Google recognises the request by its key for an hour at least."""

    word: ClassVar[Word] = VOCABULARY["restart_instance"]
    permissions: ClassVar[tuple[str, ...]] = (
        "compute.instances.get",
        "compute.instances.reset",
        "compute.zoneOperations.get",
    )
    repeat: ClassVar[Repeat] = Repeat.KEYED

    def look(self, session: GcpSession, parameters: Instance) -> Sight:
        """The machine and its state.

        Raises
        ------
        ActionRefused
        """
        found = instance_of(session, parameters)
        if found.status != "RUNNING":
            raise ActionRefused(f"instance is {found.status}, accepts RUNNING")
        return Sight(
            (address_of(session, "instance", parameters.instance, parameters.place),),
            change=f"reset {parameters.instance}, which is {found.status.lower()}",
            before={"state": found.status},
        )

    def act(self, session: GcpSession, parameters: Instance, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Reset a machine, as its button would."""
        operation = session.ask(
            "instances.reset",
            session.instances.reset_unary,
            **session.where(parameters.place),
            instance=parameters.instance,
            request_id=request_id(key),
        )
        return receipt_of(operation, parameters.place)

    def progress(self, session: GcpSession, parameters: Instance, receipt: Receipt) -> Progress:
        """The operation, then the machine's state."""
        return reached(session, parameters, receipt, "RUNNING")
