"""`restart_host_service` by an agent on the host."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.host.session import HostSession
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, HostService, Word


class RestartHostService(Doing):
    """The supervisor names each run of a service: another than was seen tells that it was restarted."""

    word: ClassVar[Word] = VOCABULARY["restart_host_service"]
    permissions: ClassVar[tuple[str, ...]] = (
        "the account's lists of hosts and services",
        "the agent's list",
    )
    repeat: ClassVar[Repeat] = Repeat.OBSERVED

    def look(self, session: HostSession, parameters: HostService) -> Sight:
        """The service and which run of it this is."""
        found = session.service(parameters)
        state = "active" if found["active"] else "not active"
        return Sight(
            (f"service/{parameters.host}/{parameters.service}",),
            change=f"restart {parameters.service} on {parameters.host}, which is {state}",
            before={"since": found["since"]},
        )

    def act(self, session: HostSession, parameters: HostService, sight: Sight, *, key: str) -> Receipt:
        """Restart it; the agent does so once for a key, as long as it lives."""
        session.send("POST", parameters, "/restart", key=key)
        return Receipt({"since": sight.before["since"]})

    def happened(
        self,
        session: HostSession,
        parameters: HostService,
        before: Json,
        *,
        key: str,  # noqa: ARG002 (the protocol's)
    ) -> Receipt | None:
        """If this is another run."""
        again = session.service(parameters)["since"] != before["since"]
        return Receipt({"since": before["since"]}) if again else None

    def progress(self, session: HostSession, parameters: HostService, receipt: Receipt) -> Progress:
        """Whether it is active, in another run."""
        found = session.service(parameters)
        done = found["active"] and found["since"] != receipt.operation["since"]
        return Progress(Stage.DONE if done else Stage.RUNNING, "active" if found["active"] else "not active")
