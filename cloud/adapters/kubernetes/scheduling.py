"""Whether new pods may be put on a node: what `cordon_node` and `uncordon_node` share."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.kubernetes.nodes import close, is_closed, node_of
from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import Node, Parameters


class Scheduling(Doing):
    """Closes a node, or opens it. Sets a state: asking again changes nothing."""

    permissions: ClassVar[tuple[str, ...]] = ("get nodes", "patch nodes")
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE
    closed: ClassVar[bool]
    change: ClassVar[str]
    """What is done, in words; the node's name comes after."""

    def look(self, session: KubernetesSession, parameters: Node) -> Sight:
        """The node and whether it is schedulable."""
        before = is_closed(node_of(session, parameters.node))
        return Sight(
            (f"node/{parameters.node}",),
            change=f"{self.change} {parameters.node}",
            before={"closed": before},
        )

    def act(
        self,
        session: KubernetesSession,
        parameters: Node,
        sight: Sight,  # noqa: ARG002 (the protocol's)
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt:
        """Set the state."""
        close(session, parameters.node, closed=self.closed)
        return Receipt({"node": parameters.node})

    def progress(self, session: KubernetesSession, parameters: Node, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether it has the state."""
        closed = is_closed(node_of(session, parameters.node))
        detail = "unschedulable" if closed else "schedulable"
        return Progress(Stage.DONE if closed is self.closed else Stage.RUNNING, detail)

    def undo(self, parameters: Node, before: Json) -> Parameters | None:
        """The state before, if it was another."""
        return parameters if before["closed"] is not self.closed else None
