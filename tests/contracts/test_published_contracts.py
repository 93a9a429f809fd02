"""Our simulators answer as the providers' published contracts say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from cloud.simulators.server import Asked
from tests.contracts.adapter_benches import needs

ZONE = "/compute/v1/projects/simulated-project/zones/europe-west1-b"


@cache
def published():
    package = Path(needs("googleapiclient").__file__).parent
    return json.loads((package / "discovery_cache/documents/compute.v1.json").read_text(encoding="utf-8"))


def faults(value, schema, way="answer"):
    """Where a value is not what its schema says: unknown fields, wrong types, values outside enumerations."""
    schemas = published()["schemas"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    kind = schema.get("type")
    right = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "array": list,
        "object": dict,
        "number": (int, float),
    }
    if kind in right and not isinstance(value, right[kind]):
        yield f"{way} is {value!r}, no {kind}"
    elif kind == "array":
        for each in value:
            yield from faults(each, schema["items"], f"{way}[]")
    elif kind == "object":
        yield from faults_of_object(value, schema, way)
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{way} is {value!r}, none of {schema['enum']}"


def faults_of_object(value, schema, way):
    known = schema.get("properties", {})
    for name, inside in value.items():
        if name in known:
            yield from faults(inside, known[name], f"{way}.{name}")
        elif "additionalProperties" in schema:
            yield from faults(inside, schema["additionalProperties"], f"{way}.{name}")
        else:
            yield f"{way}.{name} is not in the contract"


@pytest.mark.parametrize(
    ("method", "path", "resource", "verb"),
    [
        pytest.param("GET", f"{ZONE}/instances/web-1", "instances", "get", id="a machine"),
        pytest.param(
            "GET", f"{ZONE}/instanceGroupManagers/workers", "instanceGroupManagers", "get", id="a group"
        ),
        pytest.param("POST", f"{ZONE}/instances/web-1/reset", "instances", "reset", id="reset"),
        pytest.param("POST", f"{ZONE}/instances/web-1/stop", "instances", "stop", id="stop"),
        pytest.param("POST", f"{ZONE}/instances/web-1/start", "instances", "start", id="start"),
        pytest.param(
            "POST",
            f"{ZONE}/instanceGroupManagers/workers/listManagedInstances",
            "instanceGroupManagers",
            "listManagedInstances",
            id="members",
        ),
        pytest.param(
            "GET",
            "/compute/v1/projects/simulated-project/aggregated/instances",
            "instances",
            "aggregatedList",
            id="all machines",
        ),
        pytest.param(
            "GET",
            "/compute/v1/projects/simulated-project/aggregated/instanceGroupManagers",
            "instanceGroupManagers",
            "aggregatedList",
            id="all groups",
        ),
        pytest.param("GET", "/compute/v1/projects/simulated-project", "projects", "get", id="the project"),
    ],
)
def test_google_answers_as_compute_v1_says(method, path, resource, verb):
    from cloud.simulators.gcp import furnished

    declared = published()["resources"][resource]["methods"][verb]
    answer = furnished().answer(Asked(method, path, body=b"{}"))

    assert (declared["httpMethod"], answer.status) == (method, 200)
    assert list(faults(answer.body, {"$ref": declared["response"]["$ref"]})) == []


def test_google_operation_ends_as_compute_v1_says():
    from cloud.simulators.gcp import furnished

    project = furnished()
    project.failing = "ZONE_RESOURCE_POOL_EXHAUSTED"
    begun = project.answer(Asked("POST", f"{ZONE}/instances/web-1/reset", {"requestId": "r"}))
    seen = [
        project.answer(Asked("GET", f"{ZONE}/operations/{begun.body['name']}")).body.copy() for _ in range(3)
    ]

    assert [one["status"] for one in seen] == ["RUNNING", "DONE", "DONE"]
    assert seen[-1]["error"]["errors"][0]["code"] == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert [list(faults(one, {"$ref": "Operation"})) for one in seen] == [[], [], []]


def test_the_comparison_sees_what_is_wrong():
    wrong = {"name": 7, "status": "ASLEEP", "nonsense": 1}
    assert len(list(faults(wrong, {"$ref": "Instance"}))) == 3


@pytest.mark.parametrize(
    ("path", "model"),
    [
        pytest.param("virtualMachines/web-1", "VirtualMachine", id="a machine"),
        pytest.param("virtualMachines/web-1/instanceView", "VirtualMachineInstanceView", id="its state"),
        pytest.param("virtualMachineScaleSets/workers", "VirtualMachineScaleSet", id="a scale set"),
    ],
)
def test_azure_answers_with_fields_that_its_models_have(path, model):
    models = needs("azure.mgmt.compute.models")
    from cloud.simulators.azure import furnished

    world = furnished()
    root = f"/subscriptions/{world.id}/resourceGroups/shop/providers/Microsoft.Compute"
    answer = world.answer(Asked("GET", f"{root}/{path}"))

    assert list(unknown_fields(answer.body, getattr(models, model))) == []


def unknown_fields(value, model, way="answer"):
    """Fields that a model of Azure's does not have, at any depth."""
    parsed = model(value)  # a model learns its fields when the first of its kind is made
    attributes = {field._rest_name: name for name, field in model._attr_to_rest_field.items()}
    for name, inside in value.items():
        if name not in attributes:
            yield f"{way}.{name}"
            continue
        read = getattr(parsed, attributes[name])
        if isinstance(inside, dict) and hasattr(type(read), "_attr_to_rest_field"):
            yield from unknown_fields(inside, type(read), f"{way}.{name}")


def test_the_comparison_with_azure_sees_what_is_wrong():
    models = needs("azure.mgmt.compute.models")
    wrong = {"name": "a", "nonsense": 1, "properties": {"hardwareProfile": {"size": "x"}}}
    assert list(unknown_fields(wrong, models.VirtualMachine)) == [
        "answer.nonsense",
        "answer.properties.hardwareProfile.size",
    ]
