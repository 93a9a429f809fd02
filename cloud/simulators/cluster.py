"""What a cluster is and what its controllers do, apart from its API.

Deployments, nodes and pods are added; controllers take one step at a time, as whoever reads asks for it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

Object = dict[str, Any]
REVISION: Final = "deployment.kubernetes.io/revision"


class ClusterState:
    """Things of one cluster, in the form in which its API shows them.

    Attributes
    ----------
    budgets
        How many pods may leave at once, by namespace; none named, no bound.
    broken
        Whether no new replica becomes ready.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Object] = {}
        self.deployments: dict[tuple[str, str], Object] = {}
        self.replica_sets: dict[tuple[str, str], Object] = {}
        self.pods: dict[tuple[str, str], Object] = {}
        self.budgets: dict[str, int] = {}
        self.broken = False
        self._made = 0

    def add_node(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """A node that is ready."""
        self.nodes[name] = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": self._meta(name, "", labels),
            "spec": {"unschedulable": False},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }

    def add_deployment(self, space: str, name: str, replicas: int, image: str = "app:1") -> None:
        """A deployment whose replicas are all ready."""
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": image}]},
        }
        self.deployments[space, name] = {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": self._meta(name, space, labels) | {"generation": 1, "annotations": {}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
            "status": {},
        }
        self.roll(space, name)
        while self.step(space, name):
            pass

    def refill(self) -> None:
        """Let the controllers finish: every deployment has its replicas."""
        for key in self.deployments:
            while (
                len([each for each in self.pods if each[0] == key[0]])
                < self.deployments[key]["spec"]["replicas"]
            ):
                self.step(*key)

    def _meta(self, name: str, space: str, labels: Mapping[str, str] | None = None) -> Object:
        self._made += 1
        uid = str(uuid5(NAMESPACE_URL, f"{space}/{name}/{self._made}"))
        found: Object = {
            "name": name,
            "uid": uid,
            "labels": dict(labels or {}),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        return found | ({"namespace": space} if space else {})

    # The deployment controller.

    def roll(self, space: str, name: str) -> None:
        """Give the present template a revision: a new replica set, or an old one that had the same."""
        deployment = self.deployments[space, name]
        owner = deployment["metadata"]["uid"]
        ours = [each for each in self.replica_sets.values() if each["owner"] == owner]
        latest = max((each["revision"] for each in ours), default=0) + 1
        same = [each for each in ours if each["template"] == deployment["spec"]["template"]]
        if same and same[0]["revision"] == latest - 1:
            return
        if same:
            same[0]["revision"] = latest
        else:
            made = {
                "owner": owner,
                "revision": latest,
                "template": copy.deepcopy(deployment["spec"]["template"]),
            }
            self.replica_sets[space, f"{name}-{latest}"] = made
        deployment["metadata"]["annotations"][REVISION] = str(latest)

    def step(self, space: str, name: str) -> bool:
        """Replace one pod, or add or remove one. False when nothing is left to do."""
        deployment = self.deployments[space, name]
        revision = deployment["metadata"]["annotations"][REVISION]
        wanted = deployment["spec"]["replicas"]
        ours = [key for key, pod in self.pods.items() if pod["metadata"]["labels"].get("app") == name]
        ours = [key for key in ours if key[0] == space]
        old = [key for key in ours if self.pods[key]["metadata"]["labels"]["revision"] != revision]
        fresh = [key for key in ours if key not in old]
        if self.broken and len(fresh) < wanted:
            return False
        if len(fresh) < wanted:
            self._add_pod(space, name, revision, deployment)
        elif len(fresh) > wanted:
            del self.pods[fresh[-1]]
        if old:
            del self.pods[old[0]]
        return len(fresh) + 1 < wanted or len(old) > 1 or len(fresh) > wanted

    def _add_pod(self, space: str, name: str, revision: str, deployment: Object) -> None:
        self._made += 1
        pod = f"{name}-{revision}-{self._made}"
        open_nodes = [node for node, row in self.nodes.items() if not row["spec"]["unschedulable"]] or [""]
        labels = {"app": name, "revision": revision}
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-{revision}", "uid": "rs"}
        self.pods[space, pod] = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": self._meta(pod, space, labels) | {"ownerReferences": [owner]},
            "spec": {
                "nodeName": open_nodes[self._made % len(open_nodes)],
                "containers": deployment["spec"]["template"]["spec"]["containers"],
            },
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }

    def state(self, space: str, name: str) -> Object:
        """The deployment with the status of this moment."""
        deployment = self.deployments[space, name]
        revision = deployment["metadata"]["annotations"][REVISION]
        labels = [
            pod["metadata"]["labels"]
            for (where, _), pod in self.pods.items()
            if where == space and pod["metadata"]["labels"].get("app") == name
        ]
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(labels),
            "updatedReplicas": sum(each["revision"] == revision for each in labels),
            "availableReplicas": len(labels),
            "readyReplicas": len(labels),
        }
        if self.broken and status["updatedReplicas"] < deployment["spec"]["replicas"]:
            status["conditions"] = [
                {
                    "type": "Progressing",
                    "status": "False",
                    "reason": "ProgressDeadlineExceeded",
                    "message": f'ReplicaSet "{name}-{revision}" has timed out progressing.',
                }
            ]
        return deployment | {"status": status}
