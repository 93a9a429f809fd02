"""AWS as `moto` simulates it, behind a gate that can fail as AWS fails.

Requests of AWS's protocols go in and are handed on to moto; its answers come out. `moto` keeps its state in
the process, so there is one AWS in each.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs

from moto.server import ThreadedMotoServer

from cloud.simulators.server import Answer, Asked, FaultKind, World

_CODES: Final[Mapping[FaultKind, tuple[int, str]]] = {
    FaultKind.EXPIRED: (403, "ExpiredToken"),
    FaultKind.FORBIDDEN: (403, "AccessDenied"),
    FaultKind.THROTTLED: (400, "Throttling"),
    FaultKind.GONE: (404, "ResourceNotFoundException"),
    FaultKind.QUOTA: (400, "LimitExceededException"),
    FaultKind.UNAVAILABLE: (503, "ServiceUnavailable"),
}
_HOP: Final = {"connection", "transfer-encoding", "content-length", "server", "date"}


class Gate(World):
    """Hands on to moto, or fails."""

    def __init__(self, port: int) -> None:
        self._port = port

    def label(self, asked: Asked) -> str:
        """The operation, which AWS's protocols put in the body or a header."""
        target = asked.headers.get("x-amz-target", "").rpartition(".")[2]
        if target:
            return f"POST {target}"
        if b"Action=" in asked.body:
            return f"POST {parse_qs(asked.body.decode())['Action'][0]}"
        return super().label(asked)

    def changes(self, asked: Asked) -> bool:
        """Reading operations are `POST` as well."""
        return not re.match(r"(GET|POST (Describe|List|Get|AssumeRole))", self.label(asked))

    def answer(self, asked: Asked) -> Answer:
        """What moto says."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            headers = {name: value for name, value in asked.headers.items() if name != "connection"}
            connection.request(asked.method, asked.target, asked.body, headers)
            found = connection.getresponse()
            kept = {name: value for name, value in found.getheaders() if name.lower() not in _HOP}
            return Answer(found.status, found.read(), kept)
        finally:
            connection.close()

    def fault(self, kind: FaultKind, asked: Asked) -> Answer:
        """An error in the form of the service's protocol."""
        status, code = _CODES[kind]
        headers = {"Retry-After": "7"} if kind is FaultKind.THROTTLED else {}
        service = re.search(
            r"Credential=[^,]*/([a-z0-9-]+)/aws4_request", asked.headers.get("authorization", "")
        )
        form = service.group(1) if service else ""
        message = "as it was asked to"
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        xml = headers | {"Content-Type": "text/xml"}
        if form == "ec2":
            body = f"<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>"
            return Answer(status, body.encode(), xml)
        if b"Action=" in asked.body:
            body = f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"
            return Answer(status, body.encode(), xml)
        return Answer(status, {"__type": code, "message": message}, headers | {"x-amzn-ErrorType": code})


@contextmanager
def running_moto() -> Iterator[Gate]:
    """A gate to a moto of its own thread, until the end; what an earlier one held is forgotten."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        gate = Gate(port)
        reset(gate)
        yield gate
    finally:
        server.stop()


def reset(gate: Gate) -> None:
    """Forget everything that moto holds."""
    gate.answer(Asked("POST", "/moto-api/reset", target="/moto-api/reset"))


def furnish(client: Any) -> dict[str, str]:
    """A small estate: a machine, a group of two, a service, a function, a database cluster.

    Parameters
    ----------
    client
        Makes a client of a service: `client("ec2")`.

    Returns
    -------
    Identifiers by what they are of.
    """
    ec2, scaling = client("ec2"), client("autoscaling")
    image = ec2.describe_images(MaxResults=5)["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-1"}]}]
    started = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", TagSpecifications=tags
    )
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId=image, InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=1,
        MaxSize=5,
        DesiredCapacity=2,
        AvailabilityZones=[zone],
    )
    members = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    _furnish_services(client)
    _furnish_code(client)
    return {"instance": started["Instances"][0]["InstanceId"], "member": members[0]["InstanceId"]}


def _furnish_services(client: Any) -> None:
    ecs, rds = client("ecs"), client("rds")
    ecs.create_cluster(clusterName="main")
    container = {"name": "app", "image": "app:1", "memory": 64}
    ecs.register_task_definition(family="app", containerDefinitions=[container])
    ecs.create_service(cluster="main", serviceName="api", taskDefinition="app", desiredCount=1)
    ecs.update_service(cluster="main", service="api", desiredCount=2)  # whose tasks moto starts
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-mysql",
        MasterUsername="u",
        MasterUserPassword="simulated",
    )
    for name in ("orders-1", "orders-2"):
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.small",
            Engine="aurora-mysql",
            DBClusterIdentifier="orders",
        )


def _furnish_code(client: Any) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    role = client("iam").create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(trust))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "def handle(event, context): return event")
    client("lambda").create_function(
        FunctionName="mailer",
        Runtime="python3.12",
        Role=role["Role"]["Arn"],
        Handler="app.handle",
        Code={"ZipFile": packed.getvalue()},
    )
    steps = [{"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": ["true"]}}]
    content = {"schemaVersion": "2.2", "description": "clears a cache", "mainSteps": steps}
    client("ssm").create_document(
        Name="clear-cache", DocumentType="Command", DocumentFormat="JSON", Content=json.dumps(content)
    )
