"""`restart_service` by AWS: a new deployment of the same task definition in ECS."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.services import address_of, cluster_of, deployments_of, service_of, steady
from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Service, Word


class RestartService(Doing):
    """Each call makes a deployment; one that was not there before tells that it was made."""

    word: ClassVar[Word] = VOCABULARY["restart_service"]
    permissions: ClassVar[tuple[str, ...]] = ("ecs:DescribeServices", "ecs:UpdateService")
    repeat: ClassVar[Repeat] = Repeat.OBSERVED

    def look(self, session: AwsSession, parameters: Service) -> Sight:
        """The service, its size and its deployments."""
        service = service_of(session, parameters)
        return Sight(
            (address_of(parameters),),
            change=f"replace the {service['desiredCount']} tasks of {parameters.service}",
            before={"deployments": deployments_of(service)},
        )

    def act(self, session: AwsSession, parameters: Service, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Force a new deployment."""
        answer = session.ask(
            "ecs",
            "update_service",
            parameters.place,
            cluster=cluster_of(parameters),
            service=parameters.service,
            forceNewDeployment=True,
        )
        return Receipt({"deployments": deployments_of(answer["service"])}, request_id(answer))

    def happened(
        self,
        session: AwsSession,
        parameters: Service,
        before: Json,
        *,
        key: str,  # noqa: ARG002 (the protocol's)
    ) -> Receipt | None:
        """If there is a deployment that was not there before."""
        found = deployments_of(service_of(session, parameters))
        return None if set(found) <= set(before["deployments"]) else Receipt({"deployments": found})

    def progress(self, session: AwsSession, parameters: Service, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether the new tasks are all that is left."""
        return steady(service_of(session, parameters))
