"""What the actions on deployments share: reading one, and how far its rollout has come."""

from __future__ import annotations

from typing import Any, Final

from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Progress, Stage
from cloud.adapters.vocabulary import Service

KEY: Final = "alertsite.io/key"
"""Annotation that holds the key of the step that changed a deployment last."""
REVISION: Final = "deployment.kubernetes.io/revision"


def deployment_of(session: KubernetesSession, parameters: Service) -> Any:
    """The deployment of this name.

    Raises
    ------
    ResourceGone
    """
    space = session.space(parameters.space)
    return session.ask(
        "get deployment",
        session.apps.read_namespaced_deployment,
        name=parameters.service,
        namespace=space,
    )


def address_of(session: KubernetesSession, parameters: Service) -> str:
    """How a deployment is named in limits and reports."""
    return f"deployment/{session.space(parameters.space)}/{parameters.service}"


def annotations_of(thing: Any) -> dict[str, str]:
    """Its annotations."""
    return dict(thing.metadata.annotations or {})


def rollout(session: KubernetesSession, parameters: Service) -> Progress:
    """Whether every replica is new and ready."""
    deployment = deployment_of(session, parameters)
    status, wanted = deployment.status, deployment.spec.replicas or 0
    for condition in status.conditions or []:
        if condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded":
            return Progress(Stage.FAILED, str(condition.message))
    updated, available = status.updated_replicas or 0, status.available_replicas or 0
    seen = (status.observed_generation or 0) >= (deployment.metadata.generation or 0)
    old = max((status.replicas or 0) - updated, 0)
    if seen and updated >= wanted and available >= wanted and old == 0:
        return Progress(Stage.DONE, f"{available} of {wanted} ready")
    return Progress(Stage.RUNNING, f"{updated} of {wanted} new, {available} ready, {old} old")
