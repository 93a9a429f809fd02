"""`set_concurrency` by AWS: the reserved concurrency of a Lambda function."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.aws.session import AwsSession, request_id
from cloud.adapters.protocol import Json, Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Concurrency, Parameters, Word


class SetConcurrency(Doing):
    """Sets a number, or takes it away: asking again changes nothing."""

    word: ClassVar[Word] = VOCABULARY["set_concurrency"]
    permissions: ClassVar[tuple[str, ...]] = (
        "lambda:GetFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
        "lambda:DeleteFunctionConcurrency",
    )
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: AwsSession, parameters: Concurrency) -> Sight:
        """The function and its limit."""
        limit = self._limit(session, parameters)
        return Sight(
            (f"function/{parameters.function}",),
            change=f"limit of {parameters.function} from {limit} to {parameters.limit}",
            before={"limit": limit},
        )

    def act(self, session: AwsSession, parameters: Concurrency, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Set or remove the limit."""
        named = {"FunctionName": parameters.function}
        if parameters.limit is None:
            answer = session.ask("lambda", "delete_function_concurrency", parameters.place, **named)
        else:
            answer = session.ask(
                "lambda",
                "put_function_concurrency",
                parameters.place,
                **named,
                ReservedConcurrentExecutions=parameters.limit,
            )
        return Receipt({"limit": parameters.limit}, request_id(answer))

    def progress(self, session: AwsSession, parameters: Concurrency, receipt: Receipt) -> Progress:  # noqa: ARG002
        """Whether the limit reads back."""
        limit = self._limit(session, parameters)
        return Progress(Stage.DONE if limit == parameters.limit else Stage.RUNNING, f"limit is {limit}")

    def _limit(self, session: AwsSession, parameters: Concurrency) -> int | None:
        found = session.ask(
            "lambda", "get_function_concurrency", parameters.place, FunctionName=parameters.function
        )
        limit: int | None = found.get("ReservedConcurrentExecutions")
        return limit

    def undo(self, parameters: Concurrency, before: Json) -> Parameters | None:
        """The limit before, or none."""
        return parameters.model_copy(update={"limit": before["limit"]})
