"""What a project holds: machines and managed groups, in every zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cloud.adapters.gcp.session import GcpSession
from cloud.adapters.labelling import labels_of
from cloud.adapters.protocol import Resource

PAGE: Final = 500


def pages(session: GcpSession) -> Iterator[Sequence[Resource]]:
    """Every resource, page by page."""
    for found in _paged(session, "instances.aggregated_list", session.instances.aggregated_list):
        yield [_instance(one) for scoped in found.items.values() for one in scoped.instances]
    for found in _paged(session, "groups.aggregated_list", session.groups.aggregated_list):
        yield [_group(one) for scoped in found.items.values() for one in scoped.instance_group_managers]


def _paged(session: GcpSession, request: str, function: Any) -> Iterator[Any]:
    following = ""
    while True:
        page = session.ask(
            request,
            function,
            project=session.settings.project,
            max_results=PAGE,
            page_token=following,
        )
        yield page
        following = page.next_page_token
        if not following:
            return


def _instance(found: Any) -> Resource:
    zone = found.zone.rpartition("/")[2]
    created_by = [each.value for each in found.metadata.items if each.key == "created-by"]
    return Resource(
        kind="instance",
        id=f"instance/{zone}/{found.name}",
        name=found.name,
        place=zone,
        state=found.status.lower(),
        healthy={"RUNNING": True, "TERMINATED": None, "SUSPENDED": None}.get(found.status, False),
        group=created_by[0].rpartition("/")[2] if created_by else "",
        labels=labels_of(dict(found.labels)),
        size=found.machine_type.rpartition("/")[2],
    )


def _group(found: Any) -> Resource:
    zone = found.zone.rpartition("/")[2]
    return Resource(
        kind="group",
        id=f"group/{zone}/{found.name}",
        name=found.name,
        place=zone,
        state="stable" if found.status.is_stable else "changing",
        healthy=bool(found.status.is_stable),
        size=str(found.target_size),
    )
