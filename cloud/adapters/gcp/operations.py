"""What the actions share: reading machines and groups, and how far an operation has come."""

from __future__ import annotations

from typing import Any

from cloud.adapters.gcp.session import GcpSession
from cloud.adapters.protocol import Progress, Receipt, Stage
from cloud.adapters.vocabulary import Instance


def instance_of(session: GcpSession, parameters: Instance) -> Any:
    """The machine.

    Raises
    ------
    ResourceGone
    """
    where = session.where(parameters.place)
    return session.ask("instances.get", session.instances.get, **where, instance=parameters.instance)


def address_of(session: GcpSession, kind: str, name: str, place: str) -> str:
    """How a thing is named in limits and reports: names are unique in a zone alone."""
    return f"{kind}/{session.where(place)['zone']}/{name}"


def group_of(session: GcpSession, name: str, place: str) -> Any:
    """The managed group.

    Raises
    ------
    ResourceGone
    """
    where = session.where(place)
    return session.ask("groups.get", session.groups.get, **where, instance_group_manager=name)


def members_of(session: GcpSession, name: str, place: str) -> list[str]:
    """Addresses of the group's machines."""
    where = session.where(place)
    found = session.ask(
        "groups.list_managed_instances",
        session.groups.list_managed_instances,
        **where,
        instance_group_manager=name,
    )
    return [each.instance for each in found.managed_instances]


def receipt_of(operation: Any, place: str) -> Receipt:
    """What `come` asks by."""
    return Receipt({"operation": operation.name, "place": place}, str(operation.client_operation_id or ""))


def come(session: GcpSession, receipt: Receipt) -> Progress:
    """How far the operation has come; one that ended with errors has failed."""
    where = session.where(receipt.operation["place"])
    found = session.ask(
        "operations.get", session.operations.get, **where, operation=receipt.operation["operation"]
    )
    if found.error.errors:
        return Progress(Stage.FAILED, "; ".join(f"{one.code}: {one.message}" for one in found.error.errors))
    done = found.status.name == "DONE"
    return Progress(Stage.DONE if done else Stage.RUNNING, f"{found.status.name.lower()}, {found.progress} %")


def stable(session: GcpSession, receipt: Receipt, name: str) -> Progress:
    """The operation, and then whether the group is as large as it is to be and does nothing more."""
    progress = come(session, receipt)
    if progress.stage is not Stage.DONE:
        return progress
    group = group_of(session, name, receipt.operation["place"])
    if group.status.is_stable:
        return Progress(Stage.DONE, f"{group.target_size} machines")
    return Progress(Stage.RUNNING, f"{group.target_size} machines wanted")


def reached(session: GcpSession, parameters: Instance, receipt: Receipt, wanted: str) -> Progress:
    """The operation, and then whether the machine has the state: what is read may lag behind."""
    progress = come(session, receipt)
    if progress.stage is not Stage.DONE:
        return progress
    state = instance_of(session, parameters).status
    return Progress(Stage.DONE if state == wanted else Stage.RUNNING, state.lower())
