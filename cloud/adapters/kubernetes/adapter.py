"""The adapter `kubernetes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from cloud.adapters.kubernetes import inventory
from cloud.adapters.kubernetes.cordon_node.action import CordonNode
from cloud.adapters.kubernetes.delete_pod.action import DeletePod
from cloud.adapters.kubernetes.drain_node.action import DrainNode
from cloud.adapters.kubernetes.restart_service.action import RestartService
from cloud.adapters.kubernetes.scale_service.action import ScaleService
from cloud.adapters.kubernetes.session import KubernetesCredentials, KubernetesSession, KubernetesSettings
from cloud.adapters.kubernetes.uncordon_node.action import UncordonNode
from cloud.adapters.kubernetes.undo_rollout.action import UndoRollout
from cloud.adapters.protocol import (
    AccountCredentials,
    AccountSettings,
    Action,
    MetricQuery,
    MetricSeries,
    Resource,
    Surroundings,
)

_ACTIONS: Final[tuple[Action, ...]] = (
    RestartService(),
    ScaleService(),
    UndoRollout(),
    DeletePod(),
    CordonNode(),
    UncordonNode(),
    DrainNode(),
)


class KubernetesAdapter:
    """A cluster."""

    name: ClassVar[str] = "kubernetes"
    settings: ClassVar[type[AccountSettings]] = KubernetesSettings
    credentials: ClassVar[type[AccountCredentials]] = KubernetesCredentials
    actions: ClassVar[Mapping[str, Action]] = {action.word.name: action for action in _ACTIONS}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: KubernetesSettings, credentials: KubernetesCredentials) -> KubernetesSession:
        """A session of a cluster."""
        return KubernetesSession(settings, credentials, self._surroundings)

    def check(self, session: KubernetesSession) -> str:
        """The user that the cluster takes us for."""
        review = session.ask(
            "who am I",
            session.identity.create_self_subject_review,
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
        return str(review.status.user_info.username)

    def inventory(self, session: KubernetesSession) -> Iterator[Sequence[Resource]]:
        """Nodes, deployments and pods."""
        return inventory.pages(session)

    def metrics(
        self,
        session: KubernetesSession,  # noqa: ARG002 (the protocol's)
        queries: Sequence[MetricQuery],  # noqa: ARG002
    ) -> Iterator[MetricSeries]:
        """A cluster is scraped by Prometheus; it keeps no metrics of its own."""
        return iter(())
