"""How a provider may fail. Each adapter maps its SDK's errors to these; nothing else leaves an adapter.

What matters to the one who repairs is whether the call may have been accepted: `certain` says that nothing
was changed.
"""

from __future__ import annotations

from typing import ClassVar

from alertsite.core.errors import PlatformError


class AdapterError(PlatformError):
    """A provider did not do what it was asked."""

    code = "cloud.error"
    certain: ClassVar[bool] = True
    """That nothing was changed by the call."""


class CredentialsRefused(AdapterError):
    """The provider does not know the credentials, or they have expired."""

    code = "cloud.credentials_refused"


class PermissionMissing(AdapterError):
    """The credentials are good and may not do this."""

    code = "cloud.permission_missing"


class ResourceGone(AdapterError):
    """There is no such resource, or no longer."""

    code = "cloud.resource_gone"


class ActionRefused(AdapterError):
    """The provider understood and will not do it: wrong state, bad value, protected resource."""

    code = "cloud.action_refused"


class QuotaExhausted(AdapterError):
    """The account may have no more of this."""

    code = "cloud.quota_exhausted"


class Throttled(AdapterError):
    """Too many calls. `retry_after_s` is what the provider asked for, if it did."""

    code = "cloud.throttled"
    retryable = True

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProviderUnavailable(AdapterError):
    """No connection, or the provider says that it cannot now. Nothing was accepted."""

    code = "cloud.unavailable"
    retryable = True


class AnswerLost(AdapterError):
    """The call was sent and its answer never came: it may have been accepted, or not."""

    code = "cloud.answer_lost"
    certain = False
