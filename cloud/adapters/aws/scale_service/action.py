"""`scale_service` by AWS: the desired count of an ECS service."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.services import address_of, cluster_of, service_of, steady
from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Parameters, ServiceSize, Word


class ScaleService(Doing):
    """Sets a number: asking again changes nothing."""

    word: ClassVar[Word] = VOCABULARY["scale_service"]
    permissions: ClassVar[tuple[str, ...]] = ("ecs:DescribeServices", "ecs:UpdateService")
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: AwsSession, parameters: ServiceSize) -> Sight:
        """The service and its size."""
        size = service_of(session, parameters)["desiredCount"]
        return Sight(
            (address_of(parameters),),
            change=f"{parameters.service} from {size} to {parameters.size} tasks",
            group_size=size,
            before={"size": size},
        )

    def act(self, session: AwsSession, parameters: ServiceSize, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Set the number."""
        answer = session.ask(
            "ecs",
            "update_service",
            parameters.place,
            cluster=cluster_of(parameters),
            service=parameters.service,
            desiredCount=parameters.size,
        )
        return Receipt({"size": parameters.size}, request_id(answer))

    def progress(self, session: AwsSession, parameters: ServiceSize, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether that many run."""
        return steady(service_of(session, parameters))

    def undo(self, parameters: ServiceSize, before: Json) -> Parameters | None:
        """The number before."""
        return parameters.model_copy(update={"size": before["size"]})
