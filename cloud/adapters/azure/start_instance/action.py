"""`start_instance` by Azure."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.azure.operations import address_of, power_of, reached
from cloud.adapters.azure.session import AzureSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Instance, Parameters, Word


class StartInstance(Doing):
    """Start a machine. One that runs already stays so."""

    word: ClassVar[Word] = VOCABULARY["start_instance"]
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachines/instanceView/read",
        "Microsoft.Compute/virtualMachines/start/action",
        "Microsoft.Compute/locations/operations/read",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: AzureSession, parameters: Instance) -> Sight:
        """The machine and its state."""
        state = power_of(session, parameters)
        return Sight(
            (address_of(session, "instance", parameters.instance, parameters.place),),
            change=f"start {parameters.instance}, which is {state}",
            before={"state": state},
        )

    def act(
        self,
        session: AzureSession,
        parameters: Instance,
        sight: Sight,  # noqa: ARG002 (the protocol's)
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt:
        """Ask for it."""
        return session.begin(
            "virtual_machines.begin_start",
            session.compute.virtual_machines.begin_start,
            session.where(parameters.place),
            parameters.instance,
        )

    def progress(self, session: AzureSession, parameters: Instance, receipt: Receipt) -> Progress:
        """The operation, then the machine's state."""
        return reached(session, parameters, receipt, "running")

    def undo(self, parameters: Instance, before: Json) -> Parameters | None:
        """The state before, if it was another."""
        return parameters if before["state"] in ("stopped", "deallocated") else None
