"""`drain_node` by Kubernetes: nothing new on the node, and what runs there asked to leave."""

from __future__ import annotations

from typing import Any, ClassVar

from cloud.adapters.kubernetes.nodes import close, evict, evictable, is_closed, node_of
from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Node, Parameters, Word


class DrainNode(Doing):
    """Evicts through the API that heeds disruption budgets; `progress` asks again for what they held back."""

    word: ClassVar[Word] = VOCABULARY["drain_node"]
    permissions: ClassVar[tuple[str, ...]] = (
        "get nodes",
        "patch nodes",
        "list pods",
        "create pods/eviction",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: KubernetesSession, parameters: Node) -> Sight:
        """The node and the pods that would leave; each counts."""
        closed = is_closed(node_of(session, parameters.node))
        metas = [pod.metadata for pod in self._pods(session, parameters)]
        pods = [f"pod/{meta.namespace}/{meta.name}" for meta in metas]
        return Sight(
            (f"node/{parameters.node}", *pods),
            change=f"put nothing new on {parameters.node} and move its {len(pods)} pods elsewhere",
            before={"closed": closed, "pods": len(pods)},
        )

    def act(
        self,
        session: KubernetesSession,
        parameters: Node,
        sight: Sight,  # noqa: ARG002 (the protocol's)
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt:
        """Close the node and ask every pod to leave."""
        close(session, parameters.node, closed=True)
        held = evict(session, self._pods(session, parameters))
        return Receipt({"node": parameters.node, "held": len(held)})

    def progress(self, session: KubernetesSession, parameters: Node, receipt: Receipt) -> Progress:  # noqa: ARG002
        """How many are left; those that a budget held back are asked again."""
        pods = self._pods(session, parameters)
        if not pods:
            return Progress(Stage.DONE, "no evictable pod left")
        held = evict(session, pods)
        return Progress(Stage.RUNNING, f"{len(pods)} pods left, {len(held)} held by disruption budgets")

    def _pods(self, session: KubernetesSession, parameters: Node) -> list[Any]:
        return evictable(session, parameters.node)

    def undo(self, parameters: Node, before: Json) -> Parameters | None:
        """Schedulable again, if it was; the pods stay where they went."""
        return None if before["closed"] else parameters
