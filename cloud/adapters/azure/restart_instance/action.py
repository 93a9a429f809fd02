"""`restart_instance` by Azure."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.azure.operations import address_of, power_of, reached
from cloud.adapters.azure.session import AzureSession
from cloud.adapters.errors import ActionRefused
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Instance, Word


class RestartInstance(Doing):
    """Restart a machine. Azure leaves no trace of it, so it is not asked for twice."""

    word: ClassVar[Word] = VOCABULARY["restart_instance"]
    permissions: ClassVar[tuple[str, ...]] = (
        "Microsoft.Compute/virtualMachines/instanceView/read",
        "Microsoft.Compute/virtualMachines/restart/action",
        "Microsoft.Compute/locations/operations/read",
    )
    repeat: ClassVar[Repeat] = Repeat.NEVER

    def look(self, session: AzureSession, parameters: Instance) -> Sight:
        """The machine and its state.

        Raises
        ------
        ActionRefused
        """
        state = power_of(session, parameters)
        if state != "running":
            raise ActionRefused(f"instance is {state}, accepts running")
        return Sight(
            (address_of(session, "instance", parameters.instance, parameters.place),),
            change=f"restart {parameters.instance}, which is {state}",
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
            "virtual_machines.begin_restart",
            session.compute.virtual_machines.begin_restart,
            session.where(parameters.place),
            parameters.instance,
        )

    def progress(self, session: AzureSession, parameters: Instance, receipt: Receipt) -> Progress:
        """The operation, then the machine's state."""
        return reached(session, parameters, receipt, "running")
