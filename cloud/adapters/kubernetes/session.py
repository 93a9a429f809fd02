"""A session of a cluster: the client's parts, and its errors in our words."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from pydantic import Field, model_validator
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

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
from cloud.adapters.vocabulary import Place

TIMEOUT_S: Final = (5.0, 20.0)
"""To connect, and to wait for an answer."""


class KubernetesSettings(AccountSettings):
    """Where the cluster's API answers. Empty server: the cluster that the platform itself runs in."""

    destination: ClassVar[frozenset[str]] = frozenset({"server", "ca_certificate"})

    server: Annotated[str, Field(max_length=2000)] = ""
    """Such as `https://203.0.113.7:6443`."""
    ca_certificate: Annotated[str, Field(max_length=100_000)] = ""
    """PEM; empty: the public authorities."""
    namespace: Place = "default"
    """Where a service without a space is looked for."""


class KubernetesCredentials(AccountCredentials):
    """A service account's token, or a client's certificate with its key."""

    token: Annotated[str, Field(max_length=20_000, pattern=r"^[\x21-\x7e]*$")] = ""
    certificate: Annotated[str, Field(max_length=100_000)] = ""
    key: Annotated[str, Field(max_length=100_000)] = ""

    @model_validator(mode="after")
    def _whole(self) -> KubernetesCredentials:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a certificate needs its key, and a key its certificate")
        return self


class KubernetesSession(SdkSession):
    """An open cluster."""

    def __init__(
        self, settings: KubernetesSettings, credentials: KubernetesCredentials, surroundings: Surroundings
    ) -> None:
        super().__init__(
            surroundings,
            Recorder([credentials.token, credentials.key]),
            Dialect((ApiException, HTTPError), mapped, self._shown),
        )
        self.settings = settings
        self._files: list[Path] = []
        self._reached = not settings.server
        self._client = client.ApiClient(self._configuration(credentials))
        self.apps = client.AppsV1Api(self._client)
        self.core = client.CoreV1Api(self._client)
        self.identity = client.AuthenticationV1Api(self._client)

    def _configuration(self, credentials: KubernetesCredentials) -> Any:
        found = client.Configuration()
        if self.settings.server:
            found.host = check_endpoint(self.settings.server, self.surroundings)
            if credentials.token:
                found.api_key = {"authorization": f"Bearer {credentials.token}"}
        elif self.surroundings.allow_own_identity:
            config.load_incluster_config(client_configuration=found)
        else:
            raise InvalidParameter("server", "", "an address, or CLOUD_ALLOW_OWN_IDENTITY within a cluster")
        if self.settings.ca_certificate:
            found.ssl_ca_cert = self._file(self.settings.ca_certificate)
        if credentials.certificate:
            found.cert_file, found.key_file = self._file(credentials.certificate), self._file(credentials.key)
        found.retries = False
        # Redirects and proxies of the environment would lead where nothing was checked.
        found.proxy = None
        return found

    def _file(self, text: str) -> str:
        """The client takes certificates as files; only we may read them, and `close` removes them."""
        with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
            file.write(text)
        self._files.append(Path(file.name))
        return file.name

    def ask(self, request: str, function: Any, /, *args: Any, **values: Any) -> Any:
        """Call the API once.

        Raises
        ------
        AdapterError
        """
        if not self._reached:
            check_reachable(self.settings.server, self.surroundings)
            self._reached = True
        return self.call(request, function, *args, **values, _request_timeout=TIMEOUT_S)

    def space(self, named: str) -> str:
        """The namespace that is meant."""
        return named or self.settings.namespace

    def as_json(self, value: Any) -> Any:
        """An object of the client in the form the API takes."""
        return self._client.sanitize_for_serialization(value)

    def _shown(self, value: Any) -> Any:
        items = getattr(value, "items", None)
        return {"items": len(items)} if isinstance(items, list) else self.as_json(value)

    def close(self) -> None:
        """Give connections and files back."""
        self._client.rest_client.pool_manager.clear()
        for file in self._files:
            file.unlink(missing_ok=True)


_BY_STATUS: Final[dict[int, type[AdapterError]]] = {
    401: CredentialsRefused,
    403: PermissionMissing,
    404: ResourceGone,
    410: ResourceGone,
    503: ProviderUnavailable,
}


def mapped(error: ApiException | HTTPError) -> AdapterError:
    """One of the client's errors in our words."""
    if isinstance(error, NewConnectionError | ConnectTimeoutError | MaxRetryError):
        return ProviderUnavailable(f"no connection: {type(error).__name__}")
    if isinstance(error, HTTPError):
        return AnswerLost(f"no whole answer: {type(error).__name__}")
    status, body = int(error.status or 0), str(error.body or error.reason)[:500]
    message = f"the cluster answered {status}: {body}"
    if status == 429:
        return Throttled(message, seconds_of((error.headers or {}).get("Retry-After")))
    if status == 403 and "exceeded quota" in body:
        return QuotaExhausted(message)
    if status in _BY_STATUS:
        return _BY_STATUS[status](message)
    return AnswerLost(message) if status >= 500 else ActionRefused(message)
