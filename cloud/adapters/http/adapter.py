"""The adapter `http`: requests that the account's list allows, for what has no adapter of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Final

from pydantic import Field

from alertsite.core.errors import InvalidParameter
from cloud.adapters.calling import Call, Caller, Reply
from cloud.adapters.errors import ActionRefused
from cloud.adapters.guarding import check_endpoint
from cloud.adapters.http.send_request.action import SendRequest
from cloud.adapters.protocol import (
    AccountCredentials,
    AccountSettings,
    Action,
    Exchange,
    MetricQuery,
    MetricSeries,
    Resource,
    Surroundings,
)
from cloud.adapters.recording import Recorder

Allowance = Annotated[
    str, Field(max_length=2000, pattern=r"^(GET|POST|PUT|PATCH|DELETE) /[^\s\x00-\x1f\x7f?#]*\*?$")
]
Header = Annotated[str, Field(max_length=8000, pattern=r"^[\x20-\x7e]*$")]
HeaderName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9-]+$")]


class HttpSettings(AccountSettings):
    """Where requests go, and which are allowed."""

    destination: ClassVar[frozenset[str]] = frozenset({"base"})

    base: Annotated[str, Field(max_length=2000)]
    """What stands before every path, such as `https://deploy.example.org/api`."""
    allow: Annotated[list[Allowance], Field(min_length=1, max_length=100)]
    """Method and path; a `*` at the end stands for anything: `POST /restart/*`."""
    check: Annotated[str, Field(max_length=2000, pattern=r"^(/[^\s\x00-\x1f\x7f]*)?$")] = ""
    """A path that a GET answers when all is well; empty: accounts are not checked."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0


class HttpCredentials(AccountCredentials):
    """Headers that prove who asks, such as `Authorization`."""

    headers: Annotated[dict[HeaderName, Header], Field(max_length=20)] = {}


class HttpSession:
    """A base address with its headers."""

    def __init__(
        self, settings: HttpSettings, credentials: HttpCredentials, surroundings: Surroundings
    ) -> None:
        self.settings = settings
        self.base = check_endpoint(settings.base, surroundings)
        self._headers = credentials.headers
        self._recorder = Recorder(list(credentials.headers.values()))
        self._caller = Caller(surroundings, self._recorder)

    def check_allowed(self, method: str, path: str) -> None:
        """Refuse what the account's list does not hold.

        Raises
        ------
        ActionRefused
        """
        plain = path.partition("?")[0]
        # A server may resolve `..` and escapes in its own way: what could mean another path is not sent.
        if ".." in plain or "%" in plain or "//" in plain or "\\" in plain:
            raise ActionRefused(f"path {path!r} may mean another one; accepts paths without .., //, \\ and %")
        wanted = f"{method} {plain}"
        for allowed in self.settings.allow:
            if wanted == allowed or (allowed.endswith("*") and wanted.startswith(allowed[:-1])):
                return
        raise ActionRefused(f"{wanted} is not allowed, accepts {', '.join(self.settings.allow)}")

    def send(self, method: str, path: str, body: bytes = b"", *, key: str = "") -> Reply:
        """Send one request.

        Raises
        ------
        AdapterError
        """
        headers = dict(self._headers)
        if body:
            headers.setdefault("Content-Type", "application/json")
        if key:
            headers["Idempotency-Key"] = key
        return self._caller.send(Call(method, self.base + path, body, headers, self.settings.timeout_s))

    def exchanges(self) -> list[Exchange]:
        """The calls since this was last asked, oldest first."""
        return self._recorder.take()

    def close(self) -> None:
        """Each request has a connection of its own: nothing is open."""


_ACTIONS: Final[tuple[Action, ...]] = (SendRequest(),)


class HttpAdapter:
    """Requests to allowed addresses."""

    name: ClassVar[str] = "http"
    settings: ClassVar[type[AccountSettings]] = HttpSettings
    credentials: ClassVar[type[AccountCredentials]] = HttpCredentials
    actions: ClassVar[Mapping[str, Action]] = {action.word.name: action for action in _ACTIONS}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: HttpSettings, credentials: HttpCredentials) -> HttpSession:
        """A session of an account."""
        reserved = {"host", "content-length", "transfer-encoding", "connection", "idempotency-key"}
        for name in credentials.headers:
            if name.lower() in reserved:
                raise InvalidParameter("credentials", name, "headers that say who asks")
        return HttpSession(settings, credentials, self._surroundings)

    def check(self, session: HttpSession) -> str:
        """What the address to check says of itself: its status."""
        if not session.settings.check:
            return f"{session.base}, not asked: the account names no path to check"
        return f"{session.base} answered {session.send('GET', session.settings.check).status}"

    def inventory(self, session: HttpSession) -> Iterator[Sequence[Resource]]:  # noqa: ARG002 (the protocol's)
        """An address holds nothing that could be listed."""
        return iter(())

    def metrics(
        self,
        session: HttpSession,  # noqa: ARG002 (the protocol's)
        queries: Sequence[MetricQuery],  # noqa: ARG002
    ) -> Iterator[MetricSeries]:
        """An address has no metrics."""
        return iter(())
