"""The words of repair: what may be done to infrastructure, whichever provider does it.

A word declares its parameters, how risky it is, what kind of resource it touches, which word takes it back,
and how one sees that it has worked. Adapters implement words; playbooks use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""An identifier as providers give them: no blanks, no control characters."""
Place = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_.-]*$")]
"""A region or zone; empty for the account's own."""


class Risk(StrEnum):
    """How much may go wrong. Approval policies are written by these classes."""

    LOW = "low"
    """One replica of many, or nothing that users notice."""
    MEDIUM = "medium"
    """A whole service for a moment, or a size."""
    HIGH = "high"
    """Data, a database, a node with all that runs on it, or a command of the user's own."""


class Parameters(BaseModel):
    """What a step passes to an action."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Instance(Parameters):
    """One virtual machine."""

    instance: Name
    place: Place = ""
    """Region (AWS), zone (Google Cloud) or resource group (Azure)."""


class GroupSize(Parameters):
    """A group of machines, and how many it is to have."""

    group: Name
    size: Annotated[int, Field(ge=0, le=1000)]
    place: Place = ""


class GroupMember(Parameters):
    """One machine of a group."""

    group: Name
    instance: Name
    place: Place = ""


class Service(Parameters):
    """A service that runs as many replicas."""

    service: Name
    space: Place = ""
    """Cluster (ECS), namespace (Kubernetes) or project (Docker)."""
    place: Place = ""


class ServiceSize(Service):
    """A service, and how many replicas it is to have."""

    size: Annotated[int, Field(ge=0, le=1000)]


class ServiceRevision(Service):
    """A service, and the revision to go back to; 0 for the one before."""

    revision: Annotated[int, Field(ge=0)] = 0


class Concurrency(Parameters):
    """A function, and how many of it may run at once; None for no limit of its own."""

    function: Name
    limit: Annotated[int, Field(ge=0, le=100_000)] | None
    place: Place = ""


class Database(Parameters):
    """A managed database."""

    database: Name
    place: Place = ""


class Document(Parameters):
    """A prepared command of the account, run on one machine."""

    document: Name
    instance: Name
    values: Mapping[str, str] = Field(default_factory=dict, max_length=50)
    place: Place = ""


class Pod(Parameters):
    """One pod."""

    pod: Name
    space: Place = "default"


class Node(Parameters):
    """One node."""

    node: Name


class Images(Parameters):
    """Images that nothing uses, older than so many hours."""

    older_than_h: Annotated[int, Field(ge=1, le=8760)] = 24


class Request(Parameters):
    """A request to one of the addresses that the account allows."""

    method: Annotated[str, Field(pattern=r"^(GET|POST|PUT|PATCH|DELETE)$")] = "POST"
    path: Annotated[str, Field(max_length=2000, pattern=r"^/[^\s\x00-\x1f\x7f]*$")]
    body: Annotated[str, Field(max_length=65_536)] = ""


class HostService(Parameters):
    """A supervised service of a host; both must stand in the account's list."""

    host: Name
    service: Name


@dataclass(frozen=True, slots=True)
class Word:
    """One thing that may be done.

    Attributes
    ----------
    inverse
        The word that takes it back; None if nothing does.
    verified_by
        How one sees that it worked, apart from the alert's own condition.
    """

    name: str
    parameters: type[Parameters]
    risk: Risk
    resource_class: str
    inverse: str | None
    verified_by: str


def _word(
    name: str, parameters: type[Parameters], risk: Risk, *, inverse: str | None = None, verified_by: str
) -> Word:
    return Word(name, parameters, risk, RESOURCE_CLASSES[parameters], inverse, verified_by)


RESOURCE_CLASSES: Final[dict[type[Parameters], str]] = {
    Instance: "instance",
    GroupSize: "group",
    GroupMember: "instance",
    Service: "service",
    ServiceSize: "service",
    ServiceRevision: "service",
    Concurrency: "function",
    Database: "database",
    Document: "instance",
    Pod: "pod",
    Node: "node",
    Images: "host",
    Request: "address",
    HostService: "host",
}

VOCABULARY: Final[Mapping[str, Word]] = {
    word.name: word
    for word in (
        _word("restart_instance", Instance, Risk.MEDIUM, verified_by="running, and its checks pass"),
        _word("start_instance", Instance, Risk.LOW, inverse="stop_instance", verified_by="running"),
        _word("stop_instance", Instance, Risk.HIGH, inverse="start_instance", verified_by="stopped"),
        _word(
            "scale_group",
            GroupSize,
            Risk.MEDIUM,
            inverse="scale_group",
            verified_by="has that many in service",
        ),
        _word("replace_member", GroupMember, Risk.MEDIUM, verified_by="gone, and the group is full again"),
        _word("restart_service", Service, Risk.MEDIUM, verified_by="every replica is new and ready"),
        _word(
            "scale_service", ServiceSize, Risk.MEDIUM, inverse="scale_service", verified_by="that many ready"
        ),
        _word(
            "undo_rollout", ServiceRevision, Risk.MEDIUM, inverse="undo_rollout", verified_by="replicas ready"
        ),
        _word(
            "set_concurrency",
            Concurrency,
            Risk.MEDIUM,
            inverse="set_concurrency",
            verified_by="limit reads back",
        ),
        _word("restart_database", Database, Risk.HIGH, verified_by="available"),
        _word("fail_over_database", Database, Risk.HIGH, verified_by="available, with another writer"),
        _word("run_document", Document, Risk.HIGH, verified_by="the command's own status"),
        _word("delete_pod", Pod, Risk.LOW, verified_by="gone"),
        _word("cordon_node", Node, Risk.LOW, inverse="uncordon_node", verified_by="unschedulable"),
        _word("uncordon_node", Node, Risk.LOW, inverse="cordon_node", verified_by="schedulable"),
        _word("drain_node", Node, Risk.HIGH, inverse="uncordon_node", verified_by="no evictable pod left"),
        _word("prune_images", Images, Risk.LOW, verified_by="space reclaimed"),
        _word("send_request", Request, Risk.MEDIUM, verified_by="a 2xx answer"),
        _word("restart_host_service", HostService, Risk.MEDIUM, verified_by="active"),
    )
}
"""Every word, by name."""
