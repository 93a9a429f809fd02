"""A session of a Google Cloud project: its clients, and their errors in our words."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import google.auth
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import compute_v1
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccount
from pydantic import Field
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

TIMEOUT_S: Final = 20.0
SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
TOKEN_ADDRESS: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)

Zone = Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+[0-9]+-[a-z]$")]


class GcpSettings(AccountSettings):
    """Which project and which zones."""

    destination: ClassVar[frozenset[str]] = frozenset({"endpoint", "monitoring_endpoint"})

    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.:-]{4,60}[a-z0-9]$")]
    zones: Annotated[list[Zone], Field(min_length=1, max_length=100)]
    """The first is meant where a step names no place."""
    endpoint: Annotated[str, Field(max_length=2000)] = ""
    """Of the compute API; empty: Google's."""
    monitoring_endpoint: Annotated[str, Field(max_length=300, pattern=r"^([\w.-]+:[0-9]+)?$")] = ""
    """Host and port of a monitoring API without TLS, as simulators have; empty: Google's."""


class GcpCredentials(AccountCredentials):
    """A service account's key, or a short-lived token. Empty: the platform's own identity."""

    client_email: Annotated[str, Field(max_length=300)] = ""
    private_key: Annotated[str, Field(max_length=20_000)] = ""
    access_token: Annotated[str, Field(max_length=20_000, pattern=r"^[\x21-\x7e]*$")] = ""


class GcpSession(SdkSession):
    """An open project."""

    def __init__(
        self, settings: GcpSettings, credentials: GcpCredentials, surroundings: Surroundings
    ) -> None:
        secrets = [credentials.private_key, credentials.access_token]
        faults = (exceptions.GoogleAPICallError, GoogleAuthError, RequestException)
        super().__init__(surroundings, Recorder(secrets), Dialect(faults, mapped, shown))
        self.settings = settings
        self.endpoint = check_endpoint(settings.endpoint, surroundings) if settings.endpoint else ""
        self._given = credentials
        if not (credentials.private_key or credentials.access_token or surroundings.allow_own_identity):
            raise InvalidParameter(
                "credentials", "neither key nor token", "one of them, or CLOUD_ALLOW_OWN_IDENTITY"
            )

    @cached_property
    def credentials(self) -> Any:
        """How requests are signed."""
        given = self._given
        if given.access_token:
            return Credentials(given.access_token)
        if not given.private_key:
            return google.auth.default(scopes=SCOPES)[0]
        # The address of tokens is ours: one from a key file would be sent a signed assertion.
        information = {
            "client_email": given.client_email,
            "private_key": given.private_key,
            "token_uri": TOKEN_ADDRESS,
        }
        try:
            return ServiceAccount.from_service_account_info(information, scopes=SCOPES)
        except ValueError:
            raise CredentialsRefused("the private key is no PEM key") from None

    def _made(self, kind: Any) -> Any:
        if self.endpoint:
            check_reachable(self.endpoint, self.surroundings)
        options = ClientOptions(api_endpoint=self.endpoint or None)
        made = kind(credentials=self.credentials, client_options=options)
        # A redirect leads where nothing was checked; the transport offers no way to say so.
        made.transport._session.max_redirects = 0
        return made

    @cached_property
    def instances(self) -> Any:
        """Client of machines."""
        return self._made(compute_v1.InstancesClient)

    @cached_property
    def groups(self) -> Any:
        """Client of managed groups."""
        return self._made(compute_v1.InstanceGroupManagersClient)

    @cached_property
    def operations(self) -> Any:
        """Client of what is under way in a zone."""
        return self._made(compute_v1.ZoneOperationsClient)

    @cached_property
    def projects(self) -> Any:
        """Client of projects."""
        return self._made(compute_v1.ProjectsClient)

    def ask(self, request: str, function: Any, /, **values: Any) -> Any:
        """Call one method with these fields of its request, once.

        Raises
        ------
        AdapterError
        """
        return self.call(request, function, request=values, retry=None, timeout=TIMEOUT_S)

    def where(self, place: str) -> dict[str, str]:
        """Project and zone that are meant.

        Raises
        ------
        ActionRefused
            If the account has no such zone.
        """
        if place and place not in self.settings.zones:
            raise ActionRefused(f"zone is {place!r}, accepts {', '.join(self.settings.zones)}")
        return {"project": self.settings.project, "zone": place or self.settings.zones[0]}

    def close(self) -> None:
        """Give connections back."""
        for name in ("instances", "groups", "operations", "projects"):
            if name in vars(self):
                getattr(self, name).transport.close()


def request_id(key: str) -> str:
    """The key as Google takes it, a UUID."""
    try:
        return str(UUID(key))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, key))


def shown(value: Any) -> Any:
    """A message of Google's as JSON; of a page its size alone."""
    kind = type(value)
    if kind.__module__.endswith("pagers"):
        return {"page": kind.__name__}
    return kind.to_dict(value) if hasattr(kind, "to_dict") else value


_BY_STATUS: Final[dict[int, type[AdapterError]]] = {
    401: CredentialsRefused,
    403: PermissionMissing,
    404: ResourceGone,
    410: ResourceGone,
    503: ProviderUnavailable,
}


def mapped(error: Exception) -> AdapterError:
    """One of the clients' errors in our words."""
    text = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, exceptions.GoogleAPICallError):
        return _refused(error, text)
    if isinstance(error, TransportError):
        return ProviderUnavailable(text)
    if isinstance(error, GoogleAuthError):
        return CredentialsRefused(text)
    reason = error.args[0] if error.args else None
    if isinstance(error, ConnectTimeout) or (
        isinstance(error, NotConnected) and isinstance(reason, MaxRetryError)
    ):
        return ProviderUnavailable(text)
    return AnswerLost(text)


def _refused(error: exceptions.GoogleAPICallError, text: str) -> AdapterError:
    status = int(error.code or 0)
    reasons = {str(each.get("reason", "")) for each in error.errors or [] if isinstance(each, dict)}
    if status == 429 or reasons & {"rateLimitExceeded", "userRateLimitExceeded"}:
        headers = getattr(error.response, "headers", None) or {}
        return Throttled(text, seconds_of(headers.get("Retry-After")))
    if reasons & {"quotaExceeded", "QUOTA_EXCEEDED"}:
        return QuotaExhausted(text)
    if status in _BY_STATUS:
        return _BY_STATUS[status](text)
    return AnswerLost(text) if status >= 500 else ActionRefused(text)
