"""What the actions on nodes share: reading one, making it (un)schedulable, evicting what runs on it."""

from __future__ import annotations

from typing import Any

from kubernetes import client

from cloud.adapters.errors import ResourceGone, Throttled
from cloud.adapters.kubernetes.session import KubernetesSession

MIRROR = "kubernetes.io/config.mirror"


def node_of(session: KubernetesSession, name: str) -> Any:
    """The node.

    Raises
    ------
    ResourceGone
    """
    return session.ask("get node", session.core.read_node, name=name)


def is_closed(node: Any) -> bool:
    """Whether nothing new is put on it."""
    return bool(node.spec.unschedulable)


def close(session: KubernetesSession, name: str, *, closed: bool) -> None:
    """Say whether new pods may be put on it."""
    session.ask("patch node", session.core.patch_node, name=name, body={"spec": {"unschedulable": closed}})


def evictable(session: KubernetesSession, name: str) -> list[Any]:
    """The pods that a drain moves: not those of daemon sets, of the node itself, or that have ended."""
    found = session.ask(
        "list pods",
        session.core.list_pod_for_all_namespaces,
        field_selector=f"spec.nodeName={name}",
    )
    return [pod for pod in found.items if _can_move(pod)]


def _can_move(pod: Any) -> bool:
    owners = {owner.kind for owner in pod.metadata.owner_references or []}
    ended = pod.status.phase in ("Succeeded", "Failed")
    return "DaemonSet" not in owners and MIRROR not in (pod.metadata.annotations or {}) and not ended


def evict(session: KubernetesSession, pods: list[Any]) -> list[str]:
    """Ask each pod to leave. Names those that a disruption budget holds back for now."""
    held = []
    for pod in pods:
        meta = pod.metadata
        if meta.deletion_timestamp is not None:
            continue
        body = client.V1Eviction(
            metadata=client.V1ObjectMeta(name=meta.name, namespace=meta.namespace),
            delete_options=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=meta.uid)),
        )
        try:
            session.ask(
                "evict pod",
                session.core.create_namespaced_pod_eviction,
                name=meta.name,
                namespace=meta.namespace,
                body=body,
            )
        except ResourceGone:
            continue
        except Throttled:
            held.append(f"{meta.namespace}/{meta.name}")
    return held
