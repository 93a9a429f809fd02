"""The manifests of Kubernetes, by Kustomize and by Helm, run the processes that docker-compose.yml runs."""

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from alertsite.runtime.topology import POOLS
from alertsite.settings.celery import QUEUES
from tests.fakes.helm import rendered

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
CHART = DEPLOY / "helm" / "alertsite"
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
SECRETS = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "SMTP_PASSWORD"}


def built(overlay):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: `kubectl kustomize` was not tried")
    done = subprocess.run(
        [kubectl, "kustomize", str(DEPLOY / "k8s" / "overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


MAKERS = {
    "small": lambda: built("small"),
    "production": lambda: built("production"),
    "helm": lambda: rendered(CHART),
}


@pytest.fixture(scope="module", params=MAKERS)
def objects(request):
    return MAKERS[request.param]()


def of_kind(objects, *kinds):
    return [found for found in objects if found["kind"] in kinds]


def component(workload):
    return workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]


def pod_of(workload):
    return workload["spec"]["template"]["spec"]


def ours(objects):
    """Main containers of our own image, by component."""
    return {
        component(workload): pod_of(workload)["containers"][0]
        for workload in of_kind(objects, "Deployment", "Job")
    }


def model_of(manifest):
    """The class of Kubernetes' published interface for an object."""
    from_version = "".join(part.capitalize() for part in manifest["apiVersion"].split("/")[-1:])
    return f"{from_version}{manifest['kind']}"


def test_every_object_is_of_the_published_schema(objects):
    client = pytest.importorskip("kubernetes.client")
    reader = client.ApiClient()

    for manifest in objects:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        assert inspect.isclass(getattr(client, model_of(manifest), None)), name
        read = reader.deserialize(json.dumps(manifest), model_of(manifest), "application/json")
        assert reader.sanitize_for_serialization(read) == manifest, f"{name} has fields that are not known"


def test_schema_check_refuses_a_field_that_is_not_there():
    client = pytest.importorskip("kubernetes.client")
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"prots": []}}
    reader = client.ApiClient()

    read = reader.deserialize(json.dumps(wrong), "V1Service", "application/json")

    assert reader.sanitize_for_serialization(read) != wrong


def test_each_process_runs_what_compose_runs(objects):
    commands = {name: container["command"] for name, container in ours(objects).items()}
    assert commands == {
        name: service["command"] for name, service in COMPOSE.items() if service["image"] == "alertsite"
    }


def test_each_queue_has_one_kind_of_worker(objects):
    commands = [container["command"] for container in ours(objects).values()]
    queues = [command[command.index("--queues") + 1] for command in commands if "--queues" in command]
    assert sorted(",".join(queues).split(",")) == sorted(QUEUES)
    assert sorted(queues) == sorted(",".join(pool.queues) for pool in POOLS)


def test_every_process_is_asked_for_its_health(objects):
    for name, container in ours(objects).items():
        if name == "migrate":
            continue
        probe = container["livenessProbe"]
        if "exec" in probe:
            assert probe["exec"]["command"] == COMPOSE[name]["healthcheck"]["test"][1:]
            assert {"name": "HEARTBEAT_FILE", "value": probe["exec"]["command"][-1]} in container["env"]
        else:
            assert probe["httpGet"]["path"] in " ".join(COMPOSE[name]["healthcheck"]["test"])


def test_what_needs_a_schema_waits_for_it(objects):
    for workload in of_kind(objects, "Deployment"):
        starts = [container["command"] for container in pod_of(workload).get("initContainers", [])]
        assert starts == (
            [] if component(workload) == "flower" else [["python", "manage.py", "migrate", "--check"]]
        )


def test_pods_are_confined(objects):
    for workload in of_kind(objects, "Deployment", "Job", "StatefulSet"):
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_our_processes_run_as_the_user_of_the_image(objects):
    made = re.search(r"--uid (\d+)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))
    users = {
        pod_of(workload)["securityContext"]["runAsUser"] for workload in of_kind(objects, "Deployment", "Job")
    }
    assert users == {int(made[1])}


def test_flower_gets_no_secret_of_the_platform(objects):
    flower = ours(objects)["flower"]
    assert "envFrom" not in flower
    assert {one["name"] for one in flower["env"]} == {"CELERY_BROKER_URL", "FLOWER_BASIC_AUTH"}


def test_settings_are_documented_and_no_secrets(objects):
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    settings = {
        name
        for found in of_kind(objects, "ConfigMap")
        if found["metadata"]["name"].startswith(("alertsite", "alerts"))
        for name in found["data"]
    }
    assert settings
    assert [name for name in sorted(settings) if f"| `{name}` |" not in page] == []
    assert settings & SECRETS == set()
    assert of_kind(objects, "Secret") == []


def test_selectors_find_the_pods(objects):
    labels = [
        workload["spec"]["template"]["metadata"]["labels"]
        for workload in of_kind(objects, "Deployment", "StatefulSet", "Job")
    ]
    for found in of_kind(objects, "Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment"):
        spec = found["spec"]
        selector = spec.get("selector") or spec["podSelector"]
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= given.items() for given in labels), found["metadata"]["name"]


def test_autoscalers_name_a_deployment_without_a_fixed_size(objects):
    deployments = {found["metadata"]["name"]: found for found in of_kind(objects, "Deployment")}
    scaled = [
        deployments[found["spec"]["scaleTargetRef"]["name"]]
        for found in of_kind(objects, "HorizontalPodAutoscaler")
    ]
    assert {component(one) for one in scaled} == {"worker-evaluate", "worker-notify"}
    assert all("replicas" not in one["spec"] for one in scaled)


def test_a_budget_never_blocks_a_drain(objects):
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert all(found["spec"]["maxUnavailable"] >= 1 for found in budgets)


def test_small_cluster_makes_its_role_as_compose_does():
    name = "10-alertsite.sh"
    small = DEPLOY / "k8s" / "overlays" / "small" / name
    assert small.read_bytes() == (DEPLOY / "postgres" / name).read_bytes()


def test_values_are_of_their_schema():
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(values, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values | {"wrokers": {}}, schema)


def test_chart_without_flower_has_no_trace_of_it():
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    found = rendered(CHART, {"flower": values["flower"] | {"enabled": False}})
    kinds = {(one["kind"], one["metadata"]["name"]) for one in found}
    assert not kinds & {("Deployment", "alerts-flower"), ("Service", "alerts-flower")}
