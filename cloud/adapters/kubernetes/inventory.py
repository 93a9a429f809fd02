"""What a cluster holds: nodes, deployments, pods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Resource

PAGE: Final = 500


def pages(session: KubernetesSession) -> Iterator[Sequence[Resource]]:
    """Every resource, page by page."""
    core, apps = session.core, session.apps
    for request, function, made in (
        ("list nodes", core.list_node, _node),
        ("list deployments", apps.list_deployment_for_all_namespaces, _deployment),
        ("list pods", core.list_pod_for_all_namespaces, _pod),
    ):
        following = ""
        while True:
            asked = {"limit": PAGE} | ({"_continue": following} if following else {})
            page = session.ask(request, function, **asked)
            yield [made(one) for one in page.items]
            following = getattr(page.metadata, "_continue", None) or ""
            if not following:
                break


def _node(node: Any) -> Resource:
    ready = _condition(node, "Ready")
    state = "ready" if ready else "not_ready"
    if node.spec.unschedulable:
        state += ",cordoned"
    labels = dict(node.metadata.labels or {})
    return Resource(
        kind="node",
        id=f"node/{node.metadata.name}",
        name=node.metadata.name,
        place=labels.get("topology.kubernetes.io/zone", ""),
        state=state,
        healthy=ready,
        labels=labels,
        size=labels.get("node.kubernetes.io/instance-type", ""),
    )


def _condition(thing: Any, name: str) -> bool:
    return any(each.type == name and each.status == "True" for each in thing.status.conditions or [])


def _deployment(deployment: Any) -> Resource:
    meta, wanted = deployment.metadata, deployment.spec.replicas or 0
    available = deployment.status.available_replicas or 0
    return Resource(
        kind="service",
        id=f"deployment/{meta.namespace}/{meta.name}",
        name=meta.name,
        place=meta.namespace,
        state=f"{available} of {wanted} available",
        healthy=available >= wanted,
        labels=dict(meta.labels or {}),
        size=str(wanted),
    )


def _pod(pod: Any) -> Resource:
    meta, phase = pod.metadata, pod.status.phase or "Unknown"
    owners = [f"{owner.kind.lower()}/{owner.name}" for owner in meta.owner_references or []]
    return Resource(
        kind="pod",
        id=f"pod/{meta.namespace}/{meta.name}",
        name=meta.name,
        place=meta.namespace,
        state=phase.lower(),
        healthy=None if phase == "Succeeded" else phase == "Running" and _condition(pod, "Ready"),
        group=owners[0] if owners else "",
        labels=dict(meta.labels or {}),
    )
