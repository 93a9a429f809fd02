"""`restart_service` by Kubernetes: a rollout of the same template under a new annotation."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.kubernetes.rollouts import KEY, address_of, deployment_of, rollout
from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Service, Word


class RestartService(Doing):
    """The key is the annotation's value: asking again with it changes nothing."""

    word: ClassVar[Word] = VOCABULARY["restart_service"]
    permissions: ClassVar[tuple[str, ...]] = ("get deployments.apps", "patch deployments.apps")
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: KubernetesSession, parameters: Service) -> Sight:
        """The deployment and its size."""
        deployment = deployment_of(session, parameters)
        size = deployment.spec.replicas or 0
        return Sight(
            (address_of(session, parameters),),
            change=f"replace the {size} replicas of {parameters.service}, a few at a time",
            before={"generation": deployment.metadata.generation},
        )

    def act(
        self,
        session: KubernetesSession,
        parameters: Service,
        sight: Sight,  # noqa: ARG002 (the protocol's)
        *,
        key: str,
    ) -> Receipt:
        """Set the annotation."""
        body = {"spec": {"template": {"metadata": {"annotations": {KEY: key}}}}}
        changed = session.ask(
            "patch deployment",
            session.apps.patch_namespaced_deployment,
            name=parameters.service,
            namespace=session.space(parameters.space),
            body=body,
        )
        return Receipt({"generation": changed.metadata.generation})

    def progress(
        self,
        session: KubernetesSession,
        parameters: Service,
        receipt: Receipt,  # noqa: ARG002 (the protocol's)
    ) -> Progress:
        """Whether every replica is new and ready."""
        return rollout(session, parameters)
