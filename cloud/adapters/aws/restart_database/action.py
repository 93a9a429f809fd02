"""`restart_database` by AWS: `RebootDBInstance`."""

from __future__ import annotations

from typing import Any, ClassVar

from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.errors import ActionRefused
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Database, Word


class RestartDatabase(Doing):
    """What RDS shows of a reboot is gone when it is over. So it is not asked for twice."""

    word: ClassVar[Word] = VOCABULARY["restart_database"]
    permissions: ClassVar[tuple[str, ...]] = ("rds:DescribeDBInstances", "rds:RebootDBInstance")
    repeat: ClassVar[Repeat] = Repeat.NEVER

    def look(self, session: AwsSession, parameters: Database) -> Sight:
        """The database, which must be available.

        Raises
        ------
        ActionRefused
        """
        state = self._read(session, parameters)["DBInstanceStatus"]
        if state != "available":
            raise ActionRefused(f"database is {state}, accepts available")
        return Sight((f"database/{parameters.database}",), change=f"reboot {parameters.database}")

    def act(self, session: AwsSession, parameters: Database, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Reboot it."""
        answer = session.ask(
            "rds", "reboot_db_instance", parameters.place, DBInstanceIdentifier=parameters.database
        )
        return Receipt({"database": parameters.database}, request_id(answer))

    def progress(self, session: AwsSession, parameters: Database, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether it is available."""
        state = self._read(session, parameters)["DBInstanceStatus"]
        return Progress(Stage.DONE if state == "available" else Stage.RUNNING, state)

    def _read(self, session: AwsSession, parameters: Database) -> Any:
        return session.ask(
            "rds", "describe_db_instances", parameters.place, DBInstanceIdentifier=parameters.database
        )["DBInstances"][0]
