"""A session of a Docker engine: its client, and its errors in our words."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import docker
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig
from pydantic import Field, model_validator
from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import ConnectTimeout, RequestException
from urllib3.exceptions import MaxRetryError

from alertsite.core.errors import InvalidParameter
from cloud.adapters.calling import seconds_of
from cloud.adapters.errors import (
    ActionRefused,
    AdapterError,
    AnswerLost,
    CredentialsRefused,
    PermissionMissing,
    ProviderUnavailable,
    QuotaExhausted,
    ResourceGone,
    Throttled,
)
from cloud.adapters.guarding import check_endpoint, check_reachable
from cloud.adapters.protocol import AccountCredentials, AccountSettings, Surroundings
from cloud.adapters.recording import Recorder
from cloud.adapters.sdk import Dialect, SdkSession

API: Final = "1.43"
"""Of Docker 24; later engines answer to it."""
TIMEOUT_S: Final = 40
"""Longer than an engine waits for a container to stop."""


class DockerSettings(AccountSettings):
    """Where the engine answers."""

    destination: ClassVar[frozenset[str]] = frozenset({"engine"})

    engine: Annotated[str, Field(max_length=500, pattern=r"^(unix://|tcp://|https?://)[^\s?#@]+$")]
    """Such as `tcp://203.0.113.7:2376`, or `unix:///var/run/docker.sock` where the operator allows it."""
    stop_after_s: Annotated[int, Field(ge=0, le=30)] = 10
    """How long a container may take to end before it is killed."""


class DockerCredentials(AccountCredentials):
    """A client's certificate with its key, and the authority that signed the engine's; PEM."""

    authority: Annotated[str, Field(max_length=100_000)] = ""
    certificate: Annotated[str, Field(max_length=100_000)] = ""
    key: Annotated[str, Field(max_length=100_000)] = ""

    @model_validator(mode="after")
    def _whole(self) -> DockerCredentials:
        if len({bool(self.authority), bool(self.certificate), bool(self.key)}) > 1:
            raise ValueError("authority, certificate and key are given together")
        return self


class DockerSession(SdkSession):
    """An open engine."""

    def __init__(
        self, settings: DockerSettings, credentials: DockerCredentials, surroundings: Surroundings
    ) -> None:
        dialect = Dialect((DockerException, RequestException), mapped, shown)
        super().__init__(surroundings, Recorder([credentials.key]), dialect)
        self.settings = settings
        self._given = credentials
        self._files: list[Path] = []
        self._web = settings.engine.replace("tcp://", "https://" if credentials.key else "http://")
        if settings.engine.startswith("unix://"):
            if not surroundings.allow_private:
                raise InvalidParameter("engine", settings.engine, "tcp://, or CLOUD_ALLOW_PRIVATE")
        else:
            check_endpoint(self._web, surroundings)

    @cached_property
    def client(self) -> Any:
        """The low-level client: one method an operation of the engine's API."""
        if self.settings.engine.startswith("unix://"):
            return docker.APIClient(self.settings.engine, version=API, timeout=TIMEOUT_S)
        check_reachable(self._web, self.surroundings)
        tls: Any = False
        if self._given.key:
            pair = (self._file(self._given.certificate), self._file(self._given.key))
            tls = TLSConfig(client_cert=pair, ca_cert=self._file(self._given.authority), verify=True)
        client = docker.APIClient(self._web, version=API, timeout=TIMEOUT_S, tls=tls)
        client.max_redirects = 0  # one leads where nothing was checked
        return client

    def _file(self, text: str) -> str:
        """The client takes certificates as files; only we may read them, and `close` removes them."""
        with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
            file.write(text)
        self._files.append(Path(file.name))
        return file.name

    def ask(self, operation: str, /, *args: Any, **values: Any) -> Any:
        """Call one method of the client once.

        Raises
        ------
        AdapterError
        """
        return self.call(operation, getattr(self.client, operation), *args, **values)

    def close(self) -> None:
        """Give connections and files back."""
        if "client" in vars(self):
            self.client.close()
        for file in self._files:
            file.unlink(missing_ok=True)


def shown(value: Any) -> Any:
    """Answers are JSON already; a container's environment is full of passwords."""
    if isinstance(value, dict):
        return {name: shown(inside) for name, inside in value.items() if name != "Env"}
    return [shown(inside) for inside in value] if isinstance(value, list) else value


_BY_STATUS: Final[dict[int, type[AdapterError]]] = {
    401: CredentialsRefused,
    403: PermissionMissing,
    404: ResourceGone,
    503: ProviderUnavailable,
}


def mapped(error: Exception) -> AdapterError:
    """One of the client's errors in our words."""
    text = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, APIError):
        return _refused(error, text)
    reason = error.args[0] if error.args else None
    refused = isinstance(reason, MaxRetryError) or "Connection refused" in text
    if isinstance(error, ConnectTimeout) or (isinstance(error, NotConnected) and refused):
        return ProviderUnavailable(text)
    return AnswerLost(text) if isinstance(error, RequestException) else ActionRefused(text)


def _refused(error: APIError, text: str) -> AdapterError:
    status = int(error.status_code or 0)
    if status == 429:
        return Throttled(text, seconds_of(error.response.headers.get("Retry-After")))
    if "no space left" in text:
        return QuotaExhausted(text)
    if status in _BY_STATUS:
        return _BY_STATUS[status](text)
    return AnswerLost(text) if status >= 500 else ActionRefused(text)
