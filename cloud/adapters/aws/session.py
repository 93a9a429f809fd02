"""A session of an AWS account: boto3's clients by region, and its errors in our words."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final

import boto3
from botocore import exceptions
from botocore.config import Config
from pydantic import Field, model_validator

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

Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]


class AwsSettings(AccountSettings):
    """Which regions, and which role is taken on."""

    destination: ClassVar[frozenset[str]] = frozenset({"endpoint"})

    regions: Annotated[list[Region], Field(min_length=1, max_length=40)]
    """The first is meant where a step names no place."""
    role: Annotated[str, Field(pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+)?$")] = ""
    """Taken on with the keys, or with the platform's own identity."""
    external_id: Annotated[str, Field(max_length=1224, pattern=r"^[\w+=,.@:/-]*$")] = ""
    """What the role's trust policy asks for."""
    endpoint: Annotated[str, Field(max_length=2000)] = ""
    """One address for every service, as simulators have; empty: AWS."""


class AwsCredentials(AccountCredentials):
    """An access key. Empty: the platform's own identity, where the operator allows it."""

    access_key_id: Annotated[str, Field(max_length=128, pattern=r"^[\w-]*$")] = ""
    secret_access_key: Annotated[str, Field(max_length=256, pattern=r"^[\x21-\x7e]*$")] = ""
    session_token: Annotated[str, Field(max_length=8192, pattern=r"^[\x21-\x7e]*$")] = ""

    @model_validator(mode="after")
    def _whole(self) -> AwsCredentials:
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise ValueError("an access key has an id and a secret")
        return self


class AwsSession(SdkSession):
    """An open account."""

    def __init__(
        self, settings: AwsSettings, credentials: AwsCredentials, surroundings: Surroundings
    ) -> None:
        if not credentials.access_key_id and not surroundings.allow_own_identity:
            raise InvalidParameter("credentials", "no key", "an access key, or CLOUD_ALLOW_OWN_IDENTITY")
        secrets = [credentials.secret_access_key, credentials.session_token]
        super().__init__(
            surroundings,
            Recorder(secrets),
            Dialect((exceptions.BotoCoreError, exceptions.ClientError), mapped, shown),
        )
        self.settings = settings
        self._endpoint = check_endpoint(settings.endpoint, surroundings) if settings.endpoint else None
        self._keys = {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
            "aws_session_token": credentials.session_token or None,
        }
        self._signed: Any = None
        self._clients: dict[tuple[str, str], Any] = {}

    def region(self, place: str) -> str:
        """The region that is meant.

        Raises
        ------
        ActionRefused
            If the account has no such region.
        """
        if place and place not in self.settings.regions:
            raise ActionRefused(f"region is {place!r}, accepts {', '.join(self.settings.regions)}")
        return place or self.settings.regions[0]

    def ask(self, service: str, operation: str, place: str = "", /, **values: Any) -> Any:
        """Call one operation, such as `ec2`, `describe_instances`, once.

        Raises
        ------
        AdapterError
        """
        client = self._client(service, self.region(place))
        return self.call(f"{service}.{operation}", getattr(client, operation), **values)

    def _client(self, service: str, region: str) -> Any:
        known = self._clients.get((service, region))
        if known is None:
            known = self._made(self._session(), service, region)
            self._clients[service, region] = known
        return known

    def _made(self, session: Any, service: str, region: str) -> Any:
        # One try: whether to call again is the business of whoever knows what was called.
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=20,
            ignore_configured_endpoint_urls=True,
        )
        return session.client(service, region_name=region, endpoint_url=self._endpoint, config=config)

    def _session(self) -> Any:
        """The keys' session, or that of the role taken on with them."""
        if self._signed is None:
            if self._endpoint:
                check_reachable(self._endpoint, self.surroundings)
            own = not self._keys["aws_access_key_id"]
            session = boto3.session.Session(**({} if own else self._keys))
            self._signed = self._in_role(session) if self.settings.role else session
        return self._signed

    def _in_role(self, session: Any) -> Any:
        sts = self._made(session, "sts", self.settings.regions[0])
        external = {"ExternalId": self.settings.external_id} if self.settings.external_id else {}
        given = self.call(
            "sts.assume_role",
            sts.assume_role,
            RoleArn=self.settings.role,
            RoleSessionName="alertsite",
            **external,
        )["Credentials"]
        return boto3.session.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def close(self) -> None:
        """Give connections back."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def shown(value: Any) -> Any:
    """An answer without what botocore adds to it."""
    if isinstance(value, dict):
        return {name: inside for name, inside in value.items() if name != "ResponseMetadata"}
    return value


def request_id(answer: Any) -> str:
    """The provider's own name of a call, for its support."""
    return str(answer["ResponseMetadata"].get("RequestId", ""))


_CREDENTIALS: Final = re.compile(
    r"AuthFailure|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|RequestExpired|SignatureDoesNotMatch|"
    r"InvalidAccessKeyId|MissingAuthenticationToken"
)
_PERMISSION: Final = re.compile(r"UnauthorizedOperation|AccessDenied|OptInRequired")
_THROTTLED: Final = re.compile(r"Throttl|RequestLimitExceeded|TooManyRequests|RateExceeded|SlowDown")
_QUOTA: Final = re.compile(r"LimitExceeded|QuotaExceeded|InsufficientInstanceCapacity")
_GONE: Final = re.compile(
    r"NotFound|DoesNotExist|ResourceNotFound|InvalidInstanceId|InvalidDocument$|TerminatedInstance"
)
_KINDS: Final[tuple[tuple[re.Pattern[str], type[AdapterError]], ...]] = (
    (_CREDENTIALS, CredentialsRefused),
    (_PERMISSION, PermissionMissing),
    (_QUOTA, QuotaExhausted),
    (_GONE, ResourceGone),
)


def mapped(error: exceptions.BotoCoreError | exceptions.ClientError) -> AdapterError:
    """One of botocore's errors in our words."""
    if isinstance(error, exceptions.ClientError):
        return _refused(error)
    text = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return CredentialsRefused(text)
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        return ProviderUnavailable(text)
    if isinstance(error, exceptions.HTTPClientError):
        return AnswerLost(text)
    return ActionRefused(text)


def _refused(error: exceptions.ClientError) -> AdapterError:
    code = str(error.response["Error"].get("Code", ""))
    said = str(error.response["Error"].get("Message", ""))[:500]
    meta = error.response.get("ResponseMetadata", {})
    status, message = int(meta.get("HTTPStatusCode", 0)), f"{error.operation_name}: {code}: {said}"
    if _THROTTLED.search(code):
        return Throttled(message, seconds_of(meta.get("HTTPHeaders", {}).get("retry-after")))
    for pattern, kind in _KINDS:
        if pattern.search(code):
            return kind(message)
    # Auto Scaling says so in the message alone.
    if code == "ValidationError" and re.search(r"not found|No managed instance", said):
        return ResourceGone(message)
    if status == 503:
        return ProviderUnavailable(message)
    return AnswerLost(message) if status >= 500 else ActionRefused(message)
