"""`delete_pod` by Kubernetes."""

from __future__ import annotations

from typing import Any, ClassVar

from cloud.adapters.errors import ActionRefused, ResourceGone
from cloud.adapters.kubernetes.session import KubernetesSession
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Pod, Word


class DeletePod(Doing):
    """Deletes the very pod that was seen, not one that came under its name since."""

    word: ClassVar[Word] = VOCABULARY["delete_pod"]
    permissions: ClassVar[tuple[str, ...]] = ("get pods", "delete pods")
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: KubernetesSession, parameters: Pod) -> Sight:
        """The pod, and who would replace it."""
        pod = self._read(session, parameters)
        owners = [f"{owner.kind} {owner.name}" for owner in pod.metadata.owner_references or []]
        again = f"{', '.join(owners)} makes another" if owners else "nobody makes another"
        return Sight(
            (f"pod/{parameters.space}/{parameters.pod}",),
            change=f"delete {parameters.pod}; {again}",
            before={"uid": pod.metadata.uid},
        )

    def act(
        self,
        session: KubernetesSession,
        parameters: Pod,
        sight: Sight,
        *,
        key: str,  # noqa: ARG002 (the protocol's)
    ) -> Receipt:
        """Delete it, unless it is gone."""
        uid = sight.before["uid"]
        try:
            session.ask(
                "delete pod",
                session.core.delete_namespaced_pod,
                name=parameters.pod,
                namespace=parameters.space,
                body={"preconditions": {"uid": uid}},
            )
        except (ResourceGone, ActionRefused):
            if not self._is_gone(session, parameters, uid):
                raise
        return Receipt({"uid": uid})

    def progress(self, session: KubernetesSession, parameters: Pod, receipt: Receipt) -> Progress:
        """Gone, or another under its name."""
        if self._is_gone(session, parameters, receipt.operation["uid"]):
            return Progress(Stage.DONE, "gone")
        return Progress(Stage.RUNNING, "terminating")

    def _is_gone(self, session: KubernetesSession, parameters: Pod, uid: str) -> bool:
        try:
            return bool(self._read(session, parameters).metadata.uid != uid)
        except ResourceGone:
            return True

    def _read(self, session: KubernetesSession, parameters: Pod) -> Any:
        return session.ask(
            "get pod", session.core.read_namespaced_pod, name=parameters.pod, namespace=parameters.space
        )
