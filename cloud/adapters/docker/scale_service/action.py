"""`scale_service` by Docker: containers like the first, or fewer of them."""

from __future__ import annotations

from typing import Any, ClassVar

from cloud.adapters.docker.containers import NUMBER, address_of, containers_of, number_of, running
from cloud.adapters.docker.session import DockerSession
from cloud.adapters.errors import ActionRefused
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Parameters, ServiceSize, Word


class ScaleService(Doing):
    """Makes or removes what is missing or too many: asking again changes nothing."""

    word: ClassVar[Word] = VOCABULARY["scale_service"]
    permissions: ClassVar[tuple[str, ...]] = (
        "GET /containers/json",
        "GET /containers/{id}/json",
        "POST /containers/create",
        "POST /containers/{id}/start",
        "POST /containers/{id}/stop",
        "DELETE /containers/{id}",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: DockerSession, parameters: ServiceSize) -> Sight:
        """The containers and how many there are.

        Raises
        ------
        ActionRefused
            If none would be left: the engine keeps no description from which to make one again.
        """
        size = len(containers_of(session, parameters))
        if parameters.size < 1:
            raise ActionRefused("size is 0, Docker accepts 1 and more")
        return Sight(
            (address_of(parameters),),
            change=f"{parameters.service} from {size} to {parameters.size} containers",
            group_size=size,
            before={"size": size},
        )

    def act(self, session: DockerSession, parameters: ServiceSize, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Add containers, or remove those with the highest numbers."""
        found = containers_of(session, parameters)
        for extra in found[parameters.size :]:
            session.ask("stop", extra["Id"], timeout=session.settings.stop_after_s)
            session.ask("remove_container", extra["Id"])
        for started in found:
            if started["State"] == "created" and started not in found[parameters.size :]:
                session.ask("start", started["Id"])
        taken = [number_of(each) for each in found]
        free = [number for number in range(1, len(found) + parameters.size + 1) if number not in taken]
        for number in free[: max(parameters.size - len(found), 0)]:
            self._add(session, found[0], number)
        return Receipt({"size": parameters.size})

    def _add(self, session: DockerSession, like: Any, number: int) -> None:
        """A container with the configuration of another, under the next number."""
        seen = session.ask("inspect_container", like["Id"])
        labels = seen["Config"].get("Labels", {}) | {NUMBER: str(number)}
        config = seen["Config"] | {"Labels": labels, "HostConfig": seen.get("HostConfig", {}), "Hostname": ""}
        name = f"{seen['Name'].strip('/').rstrip('0123456789').rstrip('-_')}-{number}"
        made = session.ask("create_container_from_config", config, name)
        session.ask("start", made["Id"])

    def progress(self, session: DockerSession, parameters: ServiceSize, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether that many run."""
        return running(containers_of(session, parameters), parameters.size)

    def undo(self, parameters: ServiceSize, before: Json) -> Parameters | None:
        """The number before."""
        return parameters.model_copy(update={"size": before["size"]})
