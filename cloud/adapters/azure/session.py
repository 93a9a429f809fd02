"""A session of an Azure subscription: its clients, and their errors in our words."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from azure.core import exceptions
from azure.core.pipeline.policies import HeadersPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.monitor import MonitorManagementClient
from pydantic import Field

from alertsite.core.errors import InvalidParameter
from cloud.adapters.azure.signing import SCOPE, GivenToken, client_secret, own_identity, policy
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
from cloud.adapters.protocol import AccountCredentials, AccountSettings, Receipt, Surroundings
from cloud.adapters.recording import Recorder
from cloud.adapters.sdk import Dialect, SdkSession

AZURE: Final = "https://management.azure.com"
ONCE: Final = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 20, "permit_redirects": False}
"""One try: whether to call again is the business of whoever knows what was called. A redirect leads where
nothing was checked.
"""

Identifier = Annotated[str, Field(pattern=r"^([0-9a-fA-F-]{36})?$")]


class AzureSettings(AccountSettings):
    """Which subscription and which resource groups."""

    destination: ClassVar[frozenset[str]] = frozenset({"endpoint", "tenant"})

    subscription: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{36}$")]
    resource_groups: Annotated[list[Annotated[str, Field(pattern=r"^[\w().-]{1,90}$")]], Field(min_length=1)]
    """The first is meant where a step names no place."""
    tenant: Identifier = ""
    """The directory of the application that signs in."""
    endpoint: Annotated[str, Field(max_length=2000)] = ""
    """Of the resource manager; empty: Azure's."""


class AzureCredentials(AccountCredentials):
    """An application's secret, or a short-lived token. Empty: the platform's own identity."""

    client_id: Identifier = ""
    client_secret: Annotated[str, Field(max_length=500)] = ""
    access_token: Annotated[str, Field(max_length=20_000, pattern=r"^[\x21-\x7e]*$")] = ""


class AzureSession(SdkSession):
    """An open subscription."""

    def __init__(
        self, settings: AzureSettings, credentials: AzureCredentials, surroundings: Surroundings
    ) -> None:
        secrets = [credentials.client_secret, credentials.access_token]
        super().__init__(
            surroundings, Recorder(secrets), Dialect((exceptions.AzureError, StopIteration), mapped, shown)
        )
        self.settings = settings
        self.endpoint = check_endpoint(settings.endpoint, surroundings) if settings.endpoint else AZURE
        self._given = credentials
        if not (credentials.access_token or credentials.client_secret or surroundings.allow_own_identity):
            raise InvalidParameter(
                "credentials", "neither secret nor token", "one of them, or CLOUD_ALLOW_OWN_IDENTITY"
            )

    @cached_property
    def _credential(self) -> Any:
        given = self._given
        if self.settings.endpoint:
            check_reachable(self.endpoint, self.surroundings)
        if given.access_token:
            return GivenToken(given.access_token)
        if given.client_secret:
            return client_secret(self.settings.tenant, given.client_id, given.client_secret)
        return own_identity()

    def _made(self, kind: Any) -> Any:
        return kind(
            self._credential,
            self.settings.subscription,
            base_url=self.endpoint,
            credential_scopes=[SCOPE],
            authentication_policy=policy(self._credential, self.endpoint),
            **ONCE,
        )

    @cached_property
    def compute(self) -> Any:
        """Client of machines and scale sets."""
        return self._made(ComputeManagementClient)

    @cached_property
    def monitor(self) -> Any:
        """Client of metrics."""
        return self._made(MonitorManagementClient)

    @cached_property
    def _plain(self) -> Any:
        signing = policy(self._credential, self.endpoint)
        return ARMPipelineClient(base_url=self.endpoint, policies=[HeadersPolicy(), signing])

    def where(self, place: str) -> str:
        """The resource group that is meant.

        Raises
        ------
        ActionRefused
            If the account has no such group.
        """
        groups = self.settings.resource_groups
        if place and place not in groups:
            raise ActionRefused(f"resource group is {place!r}, accepts {', '.join(groups)}")
        return place or groups[0]

    def begin(self, request: str, function: Any, /, *args: Any, **values: Any) -> Receipt:
        """Start what takes a while. The receipt names the address that tells how far it has come.

        Raises
        ------
        AdapterError
        """
        headers: dict[str, str] = {}

        def note(response: Any) -> None:
            headers.update(response.http_response.headers)

        self.call(request, function, *args, **values, polling=False, raw_response_hook=note)
        named = {name.lower(): value for name, value in headers.items()}
        follow = named.get("azure-asyncoperation") or named.get("location") or ""
        return Receipt({"follow": follow}, named.get("x-ms-request-id", ""))

    def read(self, path: str) -> Any:
        """The JSON at an address of the resource manager.

        Raises
        ------
        AdapterError
        """
        url = path if "://" in path else self.endpoint + path
        if urlsplit(url)[:2] != urlsplit(self.endpoint)[:2]:
            # The token is for the resource manager alone.
            raise ActionRefused(f"address {url!r} is none of {self.endpoint}")
        return self.call("read", self._fetched, url)

    def _fetched(self, url: str) -> Any:
        response = self._plain.send_request(HttpRequest("GET", url))
        if response.status_code >= 300:
            raise exceptions.HttpResponseError(response=response)
        return response.json() if response.content else {}

    def close(self) -> None:
        """Give connections back."""
        for name in ("compute", "monitor", "_plain"):
            if name in vars(self):
                getattr(self, name).close()


def shown(value: Any) -> Any:
    """A model of Azure's as JSON."""
    if hasattr(value, "as_dict"):
        return value.as_dict()
    return value if isinstance(value, dict | list | str | int | float | bool | None) else type(value).__name__


_BY_STATUS: Final[dict[int, type[AdapterError]]] = {
    401: CredentialsRefused,
    403: PermissionMissing,
    404: ResourceGone,
    410: ResourceGone,
    503: ProviderUnavailable,
}


def mapped(error: exceptions.AzureError) -> AdapterError:
    """One of the clients' errors in our words."""
    text = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, exceptions.ServiceRequestError):
        return ProviderUnavailable(text)
    if isinstance(error, exceptions.HttpResponseError):
        return _refused(error, text)
    if isinstance(error, exceptions.ClientAuthenticationError):
        return CredentialsRefused(text)
    return AnswerLost(text)


def _refused(error: exceptions.HttpResponseError, text: str) -> AdapterError:
    status = int(error.status_code or 0)
    code = str(getattr(error.error, "code", "") or "")
    if status == 429:
        headers = error.response.headers if error.response is not None else {}
        return Throttled(text, seconds_of(headers.get("Retry-After")))
    if "Quota" in code or code in {"OperationNotAllowed", "SkuNotAvailable"}:
        return QuotaExhausted(text)
    if status in _BY_STATUS:
        return _BY_STATUS[status](text)
    if not status and isinstance(error, exceptions.ClientAuthenticationError):
        return CredentialsRefused(text)
    return AnswerLost(text) if status >= 500 or not status else ActionRefused(text)
