"""What the contract suite repairs in a simulated AWS, and what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3

from cloud.simulators.aws import furnish


class Estate:
    def __init__(self, url: str) -> None:
        self.client = cache(
            lambda service: boto3.client(
                service,
                region_name="us-east-1",
                endpoint_url=url,
                aws_access_key_id="AKIDSIMULATED",
                aws_secret_access_key="simulated",
            )
        )
        self.ids = furnish(self.client)

    def steps(self) -> dict[str, Callable[[], Mapping[str, Any]]]:
        instance = {"instance": self.ids["instance"]}
        service = {"service": "api", "space": "main"}
        return {
            "restart_instance": lambda: instance,
            "start_instance": lambda: instance,
            "stop_instance": lambda: instance,
            "scale_group": lambda: {"group": "web", "size": 3 if self.group()[0] == 2 else 2},
            "replace_member": lambda: {"group": "web", "instance": self.group()[1][0]},
            "restart_service": lambda: service,
            "scale_service": lambda: service | {"size": 3 if self.service()[0] == 2 else 2},
            "set_concurrency": lambda: {"function": "mailer", "limit": (self.limit() or 1) + 1},
            "restart_database": lambda: {"database": "orders-1"},
            "fail_over_database": lambda: {"database": "orders"},
            "run_document": lambda: instance | {"document": "clear-cache"},
        }

    def missing(self) -> dict[str, Mapping[str, Any]]:
        service = {"service": "nobody", "space": "main"}
        return {
            "scale_group": {"group": "nobody", "size": 1},
            "replace_member": {"group": "nobody", "instance": "i-0000000000000000a"},
            "restart_service": service,
            "scale_service": service | {"size": 1},
            "set_concurrency": {"function": "nobody", "limit": 1},
            "restart_database": {"database": "nobody"},
            "fail_over_database": {"database": "nobody"},
            "run_document": {"document": "nobody", "instance": "i-0000000000000000a"},
            "*": {"instance": "i-0000000000000000a"},
        }

    def ready(self, word: str) -> None:
        if word == "start_instance":
            self.client("ec2").stop_instances(InstanceIds=[self.ids["instance"]])
        else:
            self.client("ec2").start_instances(InstanceIds=[self.ids["instance"]])

    def instance(self) -> str:
        found = self.client("ec2").describe_instances(InstanceIds=[self.ids["instance"]])
        return found["Reservations"][0]["Instances"][0]["State"]["Name"]

    def group(self) -> tuple[int, list[str]]:
        (group,) = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        return group["DesiredCapacity"], sorted(each["InstanceId"] for each in group["Instances"])

    def service(self) -> tuple[int, list[str]]:
        (found,) = self.client("ecs").describe_services(cluster="main", services=["api"])["services"]
        return found["desiredCount"], [each["id"] for each in found["deployments"]]

    def limit(self) -> int | None:
        found = self.client("lambda").get_function_concurrency(FunctionName="mailer")
        return found.get("ReservedConcurrentExecutions")

    def commands(self) -> int:
        return len(self.client("ssm").list_commands()["Commands"])

    def writer(self) -> list[str]:
        (cluster,) = self.client("rds").describe_db_clusters()["DBClusters"]
        return [
            each["DBInstanceIdentifier"] for each in cluster["DBClusterMembers"] if each["IsClusterWriter"]
        ]

    def picture(self) -> Any:
        return (
            self.instance(),
            self.group(),
            self.service(),
            self.limit(),
            self.writer(),
            self.commands(),
        )

    def shape(self) -> Any:
        return self.instance(), self.group()[0], self.service()[0], self.limit()
