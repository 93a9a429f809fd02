"""What a subscription holds: virtual machines and scale sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloud.adapters.azure.operations import power_in
from cloud.adapters.azure.session import AzureSession
from cloud.adapters.labelling import labels_of
from cloud.adapters.protocol import Resource


def pages(session: AzureSession) -> Iterator[Sequence[Resource]]:
    """Every resource, page by page."""
    machines = session.compute.virtual_machines.list_all(expand="instanceView")
    for page in _paged(session, "virtual_machines.list_all", machines):
        yield [_instance(one) for one in page]
    sets = session.compute.virtual_machine_scale_sets.list_all()
    for page in _paged(session, "scale_sets.list_all", sets):
        yield [_set(one) for one in page]


def _paged(session: AzureSession, request: str, listed: Any) -> Iterator[list[Any]]:
    pages_left = listed.by_page()
    while True:
        page = session.call(request, next, pages_left, None)
        if page is None:
            return
        yield list(page)


def _place(found: Any) -> str:
    """The resource group in an identifier."""
    parts = found.id.split("/")
    return str(parts[4]) if len(parts) > 4 else ""


def _instance(found: Any) -> Resource:
    place = _place(found)
    state = power_in(found.instance_view.statuses if found.instance_view else [])
    return Resource(
        kind="instance",
        id=f"instance/{place}/{found.name}",
        name=found.name,
        place=place,
        state=state,
        healthy={"running": True, "stopped": None, "deallocated": None}.get(state, False),
        labels=labels_of(dict(found.tags or {}) | {"location": found.location}),
        size=found.hardware_profile.vm_size if found.hardware_profile else "",
    )


def _set(found: Any) -> Resource:
    place = _place(found)
    state = str(found.provisioning_state or "").lower()
    return Resource(
        kind="group",
        id=f"group/{place}/{found.name}",
        name=found.name,
        place=place,
        state=state,
        healthy=state == "succeeded",
        labels=labels_of(dict(found.tags or {}) | {"location": found.location}),
        size=str(found.sku.capacity) if found.sku else "",
    )
