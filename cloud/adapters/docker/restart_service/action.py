"""`restart_service` by Docker: every container of a Compose service."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.docker.containers import address_of, containers_of, running, started
from cloud.adapters.docker.session import DockerSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Service, Word


class RestartService(Doing):
    """A container that has another start than was seen has been restarted, and is left alone."""

    word: ClassVar[Word] = VOCABULARY["restart_service"]
    permissions: ClassVar[tuple[str, ...]] = (
        "GET /containers/json",
        "GET /containers/{id}/json",
        "POST /containers/{id}/restart",
    )
    repeat: ClassVar[Repeat] = Repeat.OBSERVED

    def look(self, session: DockerSession, parameters: Service) -> Sight:
        """The containers and when each was started."""
        found = [each["Id"] for each in containers_of(session, parameters)]
        return Sight(
            (address_of(parameters),),
            change=f"restart the {len(found)} containers of {parameters.service}, one after another",
            before={"started": {each: started(session, each) for each in found}},
        )

    def act(self, session: DockerSession, parameters: Service, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Restart those that still have the start that was seen."""
        for identifier, seen in sight.before["started"].items():
            if started(session, identifier) == seen:
                session.ask("restart", identifier, timeout=session.settings.stop_after_s)
        return Receipt({"containers": len(sight.before["started"])})

    def happened(
        self,
        session: DockerSession,
        parameters: Service,  # noqa: ARG002 (the protocol's)
        before: Json,
        *,
        key: str,  # noqa: ARG002
    ) -> Receipt | None:
        """If every container has another start; otherwise asking again does the rest."""
        done = all(started(session, each) != seen for each, seen in before["started"].items())
        return Receipt({"containers": len(before["started"])}) if done else None

    def progress(self, session: DockerSession, parameters: Service, receipt: Receipt) -> Progress:
        """Whether they run."""
        return running(containers_of(session, parameters), receipt.operation["containers"])
