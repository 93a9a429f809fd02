"""How requests to Azure are signed."""

from __future__ import annotations

from typing import Any, Final

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.pipeline import PipelineRequest
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

SCOPE: Final = "https://management.azure.com/.default"
FAR_AWAY: Final = 4_102_444_800
"""The year 2100, seconds: whoever issued a token knows when it ends, and says so with a 401."""


class GivenToken:
    """A token that somebody else fetched."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """The token."""
        return AccessToken(self._token, FAR_AWAY)

    def get_token_info(self, *_: str, **__: Any) -> AccessTokenInfo:
        """The token."""
        return AccessTokenInfo(self._token, FAR_AWAY)

    def close(self) -> None:
        """Nothing is open."""


class PlainPolicy(ARMChallengeAuthenticationPolicy):
    """Signs requests to an endpoint without TLS, as simulators have; Azure's own policy refuses to."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Set the header."""
        token = self._credential.get_token(SCOPE)
        request.http_request.headers["Authorization"] = f"Bearer {token.token}"


def policy(credential: Any, endpoint: str) -> Any:
    """What signs requests to the endpoint."""
    kind = PlainPolicy if endpoint.startswith("http://") else ARMChallengeAuthenticationPolicy
    return kind(credential, SCOPE)


def own_identity() -> Any:
    """The managed or workload identity of the machine or pod that the platform runs on."""
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True,
        exclude_cli_credential=True,
        exclude_powershell_credential=True,
        exclude_developer_cli_credential=True,
        exclude_environment_credential=True,
    )


def client_secret(tenant: str, client: str, secret: str) -> Any:
    """An application of a tenant."""
    return ClientSecretCredential(tenant, client, secret)
