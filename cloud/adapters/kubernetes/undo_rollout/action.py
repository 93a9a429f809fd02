"""`undo_rollout` by Kubernetes: the template of an earlier revision."""

from __future__ import annotations

from typing import Any, ClassVar

from cloud.adapters.errors import ActionRefused
from cloud.adapters.kubernetes.rollouts import (
    KEY,
    REVISION,
    address_of,
    annotations_of,
    deployment_of,
    rollout,
)
from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Parameters, ServiceRevision, Word


class UndoRollout(Doing):
    """`look` settles which revision is meant, so that asking again does not go back one more."""

    word: ClassVar[Word] = VOCABULARY["undo_rollout"]
    permissions: ClassVar[tuple[str, ...]] = (
        "get deployments.apps",
        "patch deployments.apps",
        "list replicasets.apps",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: KubernetesSession, parameters: ServiceRevision) -> Sight:
        """Which revision it has, and which it would get.

        Raises
        ------
        ActionRefused
            If there is no such revision.
        """
        deployment = deployment_of(session, parameters)
        now = int(annotations_of(deployment).get(REVISION, "0"))
        kept = sorted(self._templates(session, parameters, deployment))
        earlier = [revision for revision in kept if revision != now]
        wanted = parameters.revision or (earlier[-1] if earlier else 0)
        if wanted not in kept:
            raise ActionRefused(f"revision is {wanted}, accepts {', '.join(map(str, kept))}")
        return Sight(
            (address_of(session, parameters),),
            change=f"{parameters.service} from revision {now} to {wanted}",
            before={"revision": now, "wanted": wanted},
        )

    def act(
        self, session: KubernetesSession, parameters: ServiceRevision, sight: Sight, *, key: str
    ) -> Receipt:
        """Put the revision's template in place of the present one."""
        deployment = deployment_of(session, parameters)
        if annotations_of(deployment).get(KEY) == key:
            return Receipt({"generation": deployment.metadata.generation})
        templates = self._templates(session, parameters, deployment)
        if sight.before["wanted"] not in templates:
            raise ActionRefused(f"revision {sight.before['wanted']} is no longer kept")
        body = [
            {"op": "replace", "path": "/spec/template", "value": templates[sight.before["wanted"]]},
            {
                "op": "add",
                "path": "/metadata/annotations",
                "value": annotations_of(deployment) | {KEY: key},
            },
        ]
        changed = session.ask(
            "patch deployment",
            session.apps.patch_namespaced_deployment,
            name=parameters.service,
            namespace=session.space(parameters.space),
            body=body,
        )
        return Receipt({"generation": changed.metadata.generation})

    def _templates(self, session: KubernetesSession, parameters: ServiceRevision, deployment: Any) -> Any:
        """The kept templates as JSON, by revision, without the hash that the cluster adds."""
        found = session.ask(
            "list replica sets",
            session.apps.list_namespaced_replica_set,
            namespace=session.space(parameters.space),
            label_selector=",".join(
                f"{name}={value}" for name, value in (deployment.spec.selector.match_labels or {}).items()
            ),
        )
        templates: dict[int, Any] = {}
        for one in found.items:
            owners = [owner.uid for owner in one.metadata.owner_references or []]
            if deployment.metadata.uid in owners:
                template = session.as_json(one.spec.template)
                template.get("metadata", {}).get("labels", {}).pop("pod-template-hash", None)
                templates[int(annotations_of(one).get(REVISION, "0"))] = template
        return templates

    def progress(
        self,
        session: KubernetesSession,
        parameters: ServiceRevision,
        receipt: Receipt,  # noqa: ARG002 (the protocol's)
    ) -> Progress:
        """Whether every replica is new and ready."""
        return rollout(session, parameters)

    def undo(self, parameters: ServiceRevision, before: Json) -> Parameters | None:
        """The revision before: a cluster keeps its number until its template is used again."""
        return parameters.model_copy(update={"revision": before["revision"]})
