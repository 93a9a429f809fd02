"""A cluster in memory: deployments with their revisions, pods, nodes, disruption budgets.

Requests of the Kubernetes API go in; objects as the API describes them come out. Its controllers take one
step on each reading of a deployment, so nothing depends on a clock. Refuses what an API server refuses.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloud.simulators.cluster import REVISION, ClusterState, Object
from cloud.simulators.server import Answer, Asked, FaultKind, World

_STATUS: Final[Mapping[FaultKind, tuple[int, str]]] = {
    FaultKind.EXPIRED: (401, "Unauthorized"),
    FaultKind.FORBIDDEN: (403, 'is forbidden: User "repair" cannot patch resource'),
    FaultKind.THROTTLED: (429, "too many requests, please try again later"),
    FaultKind.GONE: (404, "not found"),
    FaultKind.QUOTA: (403, "is forbidden: exceeded quota: compute"),
    FaultKind.UNAVAILABLE: (503, "the server is currently unable to handle the request"),
}


class Cluster(ClusterState, World):
    """The API of one cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.user = "system:serviceaccount:default:repair"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            (method, re.compile(pattern), do) for method, pattern, do in self._table()
        ]

    def _table(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        apps, core = "/apis/apps/v1", "/api/v1"
        spaced = r"/namespaces/([^/]+)"
        return [
            ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", self._review),
            ("GET", f"{apps}/deployments", self._list_deployments),
            ("GET", f"{apps}{spaced}/deployments/([^/]+)", self._get_deployment),
            ("PATCH", f"{apps}{spaced}/deployments/([^/]+)", self._patch_deployment),
            ("PATCH", f"{apps}{spaced}/deployments/([^/]+)/scale", self._scale),
            ("GET", f"{apps}{spaced}/replicasets", self._list_replica_sets),
            ("GET", f"{core}/pods", self._list_pods),
            ("GET", f"{core}{spaced}/pods/([^/]+)", self._get_pod),
            ("DELETE", f"{core}{spaced}/pods/([^/]+)", self._delete_pod),
            ("POST", f"{core}{spaced}/pods/([^/]+)/eviction", self._evict),
            ("GET", f"{core}/nodes", self._list_nodes),
            ("GET", f"{core}/nodes/([^/]+)", self._get_node),
            ("PATCH", f"{core}/nodes/([^/]+)", self._patch_node),
        ]

    def answer(self, asked: Asked) -> Answer:
        """Do what was asked."""
        for method, pattern, do in self._routes:
            found = pattern.fullmatch(asked.path)
            if found and method == asked.method:
                return do(asked, *found.groups())
        return _refusal(404, "the server could not find the requested resource")

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:  # noqa: ARG002 (the protocol's)
        """How an API server says that something is wrong."""
        status, message = _STATUS[kind]
        headers = {"Retry-After": "7"} if kind is FaultKind.THROTTLED else {}
        return _refusal(status, message, headers)

    def set(self, knobs: Mapping[str, Any]) -> None:
        """`broken`, `budgets`."""
        self.broken = bool(knobs.get("broken", self.broken))
        self.budgets.update(knobs.get("budgets", {}))

    # Requests.

    def _review(self, asked: Asked) -> Answer:
        return Answer(201, asked.json() | {"status": {"userInfo": {"username": self.user}}})

    def _list_deployments(self, asked: Asked) -> Answer:
        return _page("DeploymentList", "apps/v1", [self.state(*key) for key in self.deployments], asked)

    def _get_deployment(self, asked: Asked, space: str, name: str) -> Answer:  # noqa: ARG002
        if (space, name) not in self.deployments:
            return _refusal(404, f'deployments.apps "{name}" not found')
        shown = copy.deepcopy(self.state(space, name))
        self.step(space, name)
        return Answer(200, shown)

    def _patch_deployment(self, asked: Asked, space: str, name: str) -> Answer:
        deployment = self.deployments.get((space, name))
        if deployment is None:
            return _refusal(404, f'deployments.apps "{name}" not found')
        before = copy.deepcopy(deployment["spec"])
        _patch(deployment, asked.json())
        if deployment["spec"] != before:
            deployment["metadata"]["generation"] += 1
            self.roll(space, name)
        return Answer(200, self.state(space, name))

    def _scale(self, asked: Asked, space: str, name: str) -> Answer:
        deployment = self.deployments.get((space, name))
        if deployment is None:
            return _refusal(404, f'deployments.apps "{name}" not found')
        wanted = asked.json()["spec"]["replicas"]
        if wanted != deployment["spec"]["replicas"]:
            deployment["spec"]["replicas"] = wanted
            deployment["metadata"]["generation"] += 1
        meta = {"name": name, "namespace": space}
        scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta}
        return Answer(200, scale | {"spec": {"replicas": wanted}, "status": {"replicas": wanted}})

    def _list_replica_sets(self, asked: Asked, space: str) -> Answer:
        rows = [
            {
                "kind": "ReplicaSet",
                "apiVersion": "apps/v1",
                "metadata": {
                    "name": name,
                    "namespace": where,
                    "annotations": {REVISION: str(row["revision"])},
                    "ownerReferences": [
                        {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": row["owner"]}
                    ],
                },
                "spec": {"selector": {"matchLabels": {}}, "template": row["template"]},
            }
            for (where, name), row in self.replica_sets.items()
            if where == space
        ]
        return _page("ReplicaSetList", "apps/v1", rows, asked)

    def _list_pods(self, asked: Asked) -> Answer:
        node = asked.query.get("fieldSelector", "").removeprefix("spec.nodeName=")
        rows = [pod for pod in self.pods.values() if not node or pod["spec"]["nodeName"] == node]
        return _page("PodList", "v1", rows, asked)

    def _get_pod(self, asked: Asked, space: str, name: str) -> Answer:  # noqa: ARG002
        pod = self.pods.get((space, name))
        return _refusal(404, f'pods "{name}" not found') if pod is None else Answer(200, pod)

    def _delete_pod(self, asked: Asked, space: str, name: str) -> Answer:
        pod = self.pods.get((space, name))
        if pod is None:
            return _refusal(404, f'pods "{name}" not found')
        wanted = asked.json().get("preconditions", {}).get("uid", pod["metadata"]["uid"])
        if wanted != pod["metadata"]["uid"]:
            return _refusal(409, "Precondition failed: UID in precondition")
        del self.pods[space, name]
        return Answer(200, pod)

    def _evict(self, asked: Asked, space: str, name: str) -> Answer:  # noqa: ARG002
        if (space, name) not in self.pods:
            return _refusal(404, f'pods "{name}" not found')
        if self.budgets.get(space, 1) <= 0:
            return _refusal(429, "Cannot evict pod as it would violate the pod's disruption budget.")
        if space in self.budgets:
            self.budgets[space] -= 1
        gone = self.pods.pop((space, name))
        app = gone["metadata"]["labels"].get("app", "")
        if (space, app) in self.deployments:
            self.step(space, app)
        return Answer(201, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _list_nodes(self, asked: Asked) -> Answer:
        return _page("NodeList", "v1", list(self.nodes.values()), asked)

    def _get_node(self, asked: Asked, name: str) -> Answer:  # noqa: ARG002
        node = self.nodes.get(name)
        return _refusal(404, f'nodes "{name}" not found') if node is None else Answer(200, node)

    def _patch_node(self, asked: Asked, name: str) -> Answer:
        node = self.nodes.get(name)
        if node is None:
            return _refusal(404, f'nodes "{name}" not found')
        _patch(node, asked.json())
        return Answer(200, node)


def furnished() -> Cluster:
    """Two nodes; in the namespace `shop` a service `api` of three replicas that has been changed once."""
    cluster = Cluster()
    cluster.add_node("node-a", {"topology.kubernetes.io/zone": "a"})
    cluster.add_node("node-b", {"topology.kubernetes.io/zone": "b"})
    cluster.add_deployment("shop", "api", 3)
    containers = [{"name": "app", "image": "app:2"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    address = "/apis/apps/v1/namespaces/shop/deployments/api"
    cluster.answer(Asked("PATCH", address, body=json.dumps(patch).encode()))
    for _ in range(10):
        cluster.answer(Asked("GET", address))
    return cluster


def _patch(target: Object, patch: Any) -> None:
    """A strategic merge of mappings, or `replace` and `add` of a JSON patch."""
    if isinstance(patch, list):
        for step in patch:
            *way, last = step["path"].strip("/").split("/")
            place = target
            for name in way:
                place = place[name]
            place[last] = step["value"]
        return
    for name, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _patch(target[name], value)
        else:
            target[name] = value


def _page(kind: str, version: str, rows: list[Object], asked: Asked) -> Answer:
    start, limit = int(asked.query.get("continue") or 0), int(asked.query.get("limit") or 0) or len(rows)
    following = str(start + limit) if start + limit < len(rows) else ""
    meta = {"resourceVersion": "1"} | ({"continue": following} if following else {})
    listed = {"kind": kind, "apiVersion": version, "metadata": meta, "items": rows[start : start + limit]}
    return Answer(200, listed)


def _refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
    return Answer(status, body, headers or {})
