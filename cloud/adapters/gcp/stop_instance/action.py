"""`stop_instance` by Google Cloud: `instances.stop`."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.gcp.operations import address_of, instance_of, reached, receipt_of
from cloud.adapters.gcp.session import GcpSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Instance, Parameters, Word


class StopInstance(Doing):
    """Stop a machine. Google recognises the request by its key for an hour at least."""

    word: ClassVar[Word] = VOCABULARY["stop_instance"]
    permissions: ClassVar[tuple[str, ...]] = (
        "compute.instances.get",
        "compute.instances.stop",
        "compute.zoneOperations.get",
    )
    repeat: ClassVar[Repeat] = Repeat.KEYED

    def look(self, session: GcpSession, parameters: Instance) -> Sight:
        """The machine and its state."""
        found = instance_of(session, parameters)
        return Sight(
            (address_of(session, "instance", parameters.instance, parameters.place),),
            change=f"stop {parameters.instance}, which is {found.status.lower()}",
            before={"state": found.status},
        )

    def act(self, session: GcpSession, parameters: Instance, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Stop a machine."""
        operation = session.ask(
            "instances.stop",
            session.instances.stop_unary,
            **session.where(parameters.place),
            instance=parameters.instance,
            request_id=request_id(key),
        )
        return receipt_of(operation, parameters.place)

    def progress(self, session: GcpSession, parameters: Instance, receipt: Receipt) -> Progress:
        """The operation, then the machine's state."""
        return reached(session, parameters, receipt, "TERMINATED")

    def undo(self, parameters: Instance, before: Json) -> Parameters | None:
        """The state before, if it was another."""
        return parameters if before["state"] == "RUNNING" else None
