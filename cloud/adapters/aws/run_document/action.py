"""`run_document` by AWS: a prepared command of Systems Manager."""

from __future__ import annotations

from typing import ClassVar, Final

from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Document, Word

_ENDS: Final = {
    "Success": Stage.DONE,
    "Failed": Stage.FAILED,
    "Cancelled": Stage.FAILED,
    "TimedOut": Stage.FAILED,
    "Undeliverable": Stage.FAILED,
    "Terminated": Stage.FAILED,
}


class RunDocument(Doing):
    """The key is the command's comment, by which it is found again."""

    word: ClassVar[Word] = VOCABULARY["run_document"]
    permissions: ClassVar[tuple[str, ...]] = (
        "ssm:DescribeDocument",
        "ssm:SendCommand",
        "ssm:ListCommands",
        "ssm:GetCommandInvocation",
    )
    repeat: ClassVar[Repeat] = Repeat.OBSERVED

    def look(self, session: AwsSession, parameters: Document) -> Sight:
        """The document and its version."""
        found = session.ask("ssm", "describe_document", parameters.place, Name=parameters.document)
        version = found["Document"].get("DocumentVersion", "")
        return Sight(
            (parameters.instance,),
            change=f"run {parameters.document} (version {version}) on {parameters.instance}",
            before={"version": version},
        )

    def act(self, session: AwsSession, parameters: Document, sight: Sight, *, key: str) -> Receipt:
        """Send the command, in the version that was seen."""
        version = {"DocumentVersion": sight.before["version"]} if sight.before["version"] else {}
        answer = session.ask(
            "ssm",
            "send_command",
            parameters.place,
            InstanceIds=[parameters.instance],
            DocumentName=parameters.document,
            Parameters={name: [value] for name, value in parameters.values.items()},
            Comment=key,
            **version,
        )
        return Receipt({"command": answer["Command"]["CommandId"]}, request_id(answer))

    def happened(
        self,
        session: AwsSession,
        parameters: Document,
        before: Json,  # noqa: ARG002 (the protocol's)
        *,
        key: str,
    ) -> Receipt | None:
        """The command with this comment, if the machine has one."""
        found = session.ask("ssm", "list_commands", parameters.place, InstanceId=parameters.instance)
        sent = [each["CommandId"] for each in found["Commands"] if each.get("Comment") == key]
        return Receipt({"command": sent[0]}) if sent else None

    def progress(self, session: AwsSession, parameters: Document, receipt: Receipt) -> Progress:
        """The command's own status."""
        found = session.ask(
            "ssm",
            "get_command_invocation",
            parameters.place,
            CommandId=receipt.operation["command"],
            InstanceId=parameters.instance,
        )
        return Progress(_ENDS.get(found["Status"], Stage.RUNNING), found["Status"])
