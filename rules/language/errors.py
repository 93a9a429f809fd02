"""What a query may be refused with, before it runs (`ParseError`) and while it runs (the others)."""

from __future__ import annotations

from alertsite.core.errors import PlatformError


class ParseError(PlatformError):
    """The text is not an expression, or its parts do not fit together."""

    code = "query.parse"

    def __init__(self, reason: str, *, text: str = "", position: int | None = None) -> None:
        """`position` is the offset in `text` of the first character that does not fit."""
        self.reason = reason
        self.position = position
        self.line: int | None = None
        self.column: int | None = None
        where = ""
        if position is not None:
            self.line = text.count("\n", 0, position) + 1
            self.column = position - (text.rfind("\n", 0, position) + 1) + 1
            where = f"{self.line}:{self.column}: "
        super().__init__(f"{where}parse error: {reason}")


class EvaluationError(PlatformError):
    """The expression is sound, but not over these series."""

    code = "query.execution"


class EvaluationFault(EvaluationError):
    """The evaluator itself failed; the log says how."""

    code = "query.fault"

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"evaluation failed unexpectedly ({type(cause).__name__}); the cause is logged")


class QueryTooExpensive(EvaluationError):
    """The expression would read or make more than the tenant may."""

    code = "query.too_expensive"

    def __init__(self, *, what: str, wanted: int, limit: int) -> None:
        super().__init__(f"query processing would load too many {what}: {wanted}, limit is {limit}")


class QueryTimeout(PlatformError):
    """The time given to the query is spent."""

    code = "query.timeout"
    retryable = True

    def __init__(self) -> None:
        super().__init__("query timed out in expression evaluation")
