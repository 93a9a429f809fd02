"""What the actions share: reading machines and scale sets, and how far an operation has come."""

from __future__ import annotations

from typing import Any

from cloud.adapters.azure.session import AzureSession
from cloud.adapters.protocol import Progress, Receipt, Stage
from cloud.adapters.vocabulary import Instance


def power_of(session: AzureSession, parameters: Instance) -> str:
    """Such as `running`, `stopped` or `deallocated`.

    Raises
    ------
    ResourceGone
    """
    view = session.call(
        "virtual_machines.instance_view",
        session.compute.virtual_machines.instance_view,
        session.where(parameters.place),
        parameters.instance,
    )
    return power_in(view.statuses)


def power_in(statuses: Any) -> str:
    """The power state among a machine's statuses."""
    found = [each.code.partition("/")[2] for each in statuses or [] if each.code.startswith("PowerState/")]
    return found[0] if found else "unknown"


def address_of(session: AzureSession, kind: str, name: str, place: str) -> str:
    """How a thing is named in limits and reports: names are unique in a resource group alone."""
    return f"{kind}/{session.where(place)}/{name}"


def set_of(session: AzureSession, name: str, place: str) -> Any:
    """The scale set.

    Raises
    ------
    ResourceGone
    """
    sets = session.compute.virtual_machine_scale_sets
    return session.call("scale_sets.get", sets.get, session.where(place), name)


def come(session: AzureSession, receipt: Receipt) -> Progress:
    """How far the operation has come."""
    follow = receipt.operation["follow"]
    if not follow:
        return Progress(Stage.DONE, "answered at once")
    found = session.read(follow)
    status = str(found.get("status", "Succeeded"))
    if status in ("Failed", "Canceled"):
        fault = found.get("error") or {}
        return Progress(Stage.FAILED, f"{status}: {fault.get('code', '')}: {fault.get('message', '')}")
    return Progress(Stage.DONE if status == "Succeeded" else Stage.RUNNING, status)


def reached(session: AzureSession, parameters: Instance, receipt: Receipt, wanted: str) -> Progress:
    """The operation, and then whether the machine has the state."""
    progress = come(session, receipt)
    if progress.stage is not Stage.DONE:
        return progress
    state = power_of(session, parameters)
    return Progress(Stage.DONE if state == wanted else Stage.RUNNING, state)
