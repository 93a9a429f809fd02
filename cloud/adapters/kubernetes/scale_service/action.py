"""`scale_service` by Kubernetes: the number of a deployment's replicas."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.kubernetes.rollouts import address_of, deployment_of, rollout
from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Parameters, ServiceSize, Word


class ScaleService(Doing):
    """Sets a number: asking again changes nothing."""

    word: ClassVar[Word] = VOCABULARY["scale_service"]
    permissions: ClassVar[tuple[str, ...]] = ("get deployments.apps", "patch deployments.apps/scale")
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: KubernetesSession, parameters: ServiceSize) -> Sight:
        """The deployment and its size."""
        size = deployment_of(session, parameters).spec.replicas or 0
        return Sight(
            (address_of(session, parameters),),
            change=f"{parameters.service} from {size} to {parameters.size} replicas",
            group_size=size,
            before={"size": size},
        )

    def act(
        self,
        session: KubernetesSession,
        parameters: ServiceSize,
        sight: Sight,  # noqa: ARG002 (the protocol's)
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt:
        """Set the number."""
        session.ask(
            "patch scale",
            session.apps.patch_namespaced_deployment_scale,
            name=parameters.service,
            namespace=session.space(parameters.space),
            body={"spec": {"replicas": parameters.size}},
        )
        return Receipt({"size": parameters.size})

    def progress(
        self,
        session: KubernetesSession,
        parameters: ServiceSize,
        receipt: Receipt,  # noqa: ARG002 (the protocol's)
    ) -> Progress:
        """Whether that many are ready."""
        return rollout(session, parameters)

    def undo(self, parameters: ServiceSize, before: Json) -> Parameters | None:
        """The number before."""
        return parameters.model_copy(update={"size": before["size"]})
