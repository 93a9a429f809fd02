"""What an AWS account holds: machines, groups, services, databases, functions; in every region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloud.adapters.aws.session import AwsSession
from cloud.adapters.labelling import labels_of
from cloud.adapters.protocol import Resource

SERVICES_AT_ONCE = 10
"""Of how many services ECS describes."""


def pages(session: AwsSession) -> Iterator[Sequence[Resource]]:
    """Every resource, page by page."""
    for region in session.settings.regions:
        for page in _paged(session, region, "ec2", "describe_instances", MaxResults=500):
            found = [each for one in page["Reservations"] for each in one["Instances"]]
            yield [_instance(each, region) for each in found if each["State"]["Name"] != "terminated"]
        for page in _paged(session, region, "autoscaling", "describe_auto_scaling_groups", MaxRecords=100):
            yield [_group(each, region) for each in page["AutoScalingGroups"]]
        for page in _paged(session, region, "rds", "describe_db_instances", MaxRecords=100):
            yield [_database(each, region) for each in page["DBInstances"]]
        for page in _paged(session, region, "lambda", "list_functions", MaxItems=50):
            yield [_function(each, region) for each in page["Functions"]]
        yield from _services(session, region)


_TOKENS = (
    ("NextToken", "NextToken"),
    ("Marker", "Marker"),
    ("NextMarker", "Marker"),
    ("nextToken", "nextToken"),
)
"""Under which name an answer gives the next page's mark, and under which it is asked for."""


def _paged(session: AwsSession, region: str, service: str, operation: str, /, **values: Any) -> Iterator[Any]:
    while True:
        page = session.ask(service, operation, region, **values)
        yield page
        following = [(asked, page[given]) for given, asked in _TOKENS if page.get(given)]
        if not following:
            return
        values |= dict(following)


def _services(session: AwsSession, region: str) -> Iterator[Sequence[Resource]]:
    for clusters in _paged(session, region, "ecs", "list_clusters"):
        for cluster in clusters["clusterArns"]:
            for page in _paged(
                session, region, "ecs", "list_services", cluster=cluster, maxResults=SERVICES_AT_ONCE
            ):
                if not page["serviceArns"]:
                    continue
                found = session.ask(
                    "ecs",
                    "describe_services",
                    region,
                    cluster=cluster,
                    services=page["serviceArns"],
                    include=["TAGS"],
                )
                yield [_service(each, region) for each in found["services"]]


def _tags(tags: Sequence[Any]) -> dict[str, str]:
    return {each.get("Key", each.get("key")): each.get("Value", each.get("value", "")) for each in tags}


def _instance(found: Any, region: str) -> Resource:
    tags = _tags(found.get("Tags", []))
    state = found["State"]["Name"]
    return Resource(
        kind="instance",
        id=found["InstanceId"],
        name=tags.get("Name", found["InstanceId"]),
        place=region,
        state=state,
        healthy={"running": True, "stopped": None}.get(state, False),
        group=tags.get("aws:autoscaling:groupName", ""),
        labels=labels_of(tags),
        size=found.get("InstanceType", ""),
    )


def _group(found: Any, region: str) -> Resource:
    ready = sum(each["LifecycleState"] == "InService" for each in found["Instances"])
    wanted = found["DesiredCapacity"]
    return Resource(
        kind="group",
        id=f"group/{found['AutoScalingGroupName']}",
        name=found["AutoScalingGroupName"],
        place=region,
        state=f"{ready} of {wanted} in service",
        healthy=ready >= wanted,
        labels=labels_of(_tags(found.get("Tags", []))),
        size=str(wanted),
    )


def _database(found: Any, region: str) -> Resource:
    state = found["DBInstanceStatus"]
    return Resource(
        kind="database",
        id=f"database/{found['DBInstanceIdentifier']}",
        name=found["DBInstanceIdentifier"],
        place=region,
        state=state,
        healthy=None if state == "stopped" else state == "available",
        group=found.get("DBClusterIdentifier", ""),
        labels=labels_of(_tags(found.get("TagList", []))),
        size=found.get("DBInstanceClass", ""),
    )


def _function(found: Any, region: str) -> Resource:
    state = found.get("State", "Active")
    return Resource(
        kind="function",
        id=f"function/{found['FunctionName']}",
        name=found["FunctionName"],
        place=region,
        state=state.lower(),
        healthy=state != "Failed",
        labels=labels_of({"runtime": found.get("Runtime", "")}),
        size=str(found.get("MemorySize", "")),
    )


def _service(found: Any, region: str) -> Resource:
    cluster = found["clusterArn"].rpartition("/")[2]
    running, wanted = found["runningCount"], found["desiredCount"]
    return Resource(
        kind="service",
        id=f"service/{cluster}/{found['serviceName']}",
        name=found["serviceName"],
        place=region,
        state=f"{running} of {wanted} running",
        healthy=running >= wanted,
        group=cluster,
        labels=labels_of(_tags(found.get("tags", []))),
        size=str(wanted),
    )
