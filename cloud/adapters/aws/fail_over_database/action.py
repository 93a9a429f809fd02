"""`fail_over_database` by AWS: `FailoverDBCluster`, which makes a reader the writer."""

from __future__ import annotations

from typing import Any, ClassVar

from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.errors import ActionRefused
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Database, Word


class FailOverDatabase(Doing):
    """`look` chooses the reader: another writer than before tells that it happened."""

    word: ClassVar[Word] = VOCABULARY["fail_over_database"]
    permissions: ClassVar[tuple[str, ...]] = ("rds:DescribeDBClusters", "rds:FailoverDBCluster")
    repeat: ClassVar[Repeat] = Repeat.OBSERVED

    def look(self, session: AwsSession, parameters: Database) -> Sight:
        """The cluster, its writer and the reader that would follow.

        Raises
        ------
        ActionRefused
            If there is no reader.
        """
        cluster = self._read(session, parameters)
        readers = sorted(
            each["DBInstanceIdentifier"]
            for each in cluster["DBClusterMembers"]
            if not each["IsClusterWriter"]
        )
        if not readers:
            raise ActionRefused(f"cluster {parameters.database} has no reader to fail over to")
        writer = _writer(cluster)
        return Sight(
            (f"database/{parameters.database}",),
            change=f"make {readers[0]} the writer in place of {writer}",
            before={"writer": writer, "target": readers[0]},
        )

    def act(self, session: AwsSession, parameters: Database, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Fail over to that reader."""
        answer = session.ask(
            "rds",
            "failover_db_cluster",
            parameters.place,
            DBClusterIdentifier=parameters.database,
            TargetDBInstanceIdentifier=sight.before["target"],
        )
        return Receipt({"writer": sight.before["writer"]}, request_id(answer))

    def happened(
        self,
        session: AwsSession,
        parameters: Database,
        before: Json,
        *,
        key: str,  # noqa: ARG002 (the protocol's)
    ) -> Receipt | None:
        """If another is the writer, or the cluster is failing over."""
        cluster = self._read(session, parameters)
        moved = _writer(cluster) != before["writer"] or cluster["Status"] == "failing-over"
        return Receipt({"writer": before["writer"]}) if moved else None

    def progress(self, session: AwsSession, parameters: Database, receipt: Receipt) -> Progress:
        """Whether it is available with another writer."""
        cluster = self._read(session, parameters)
        done = cluster["Status"] == "available" and _writer(cluster) != receipt.operation["writer"]
        detail = f"{cluster['Status']}, {_writer(cluster)} writes"
        return Progress(Stage.DONE if done else Stage.RUNNING, detail)

    def _read(self, session: AwsSession, parameters: Database) -> Any:
        return session.ask(
            "rds", "describe_db_clusters", parameters.place, DBClusterIdentifier=parameters.database
        )["DBClusters"][0]


def _writer(cluster: Any) -> str:
    writers = [
        each["DBInstanceIdentifier"] for each in cluster["DBClusterMembers"] if each["IsClusterWriter"]
    ]
    return str(writers[0]) if writers else ""
