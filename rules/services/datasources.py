"""Datasources: saving them, trying them, and asking them on behalf of a tenant's rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext
from time import monotonic
from typing import Any, Final
from uuid import UUID

import httpx
from django.conf import settings
from django.db import transaction
from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from rules.datasources.client import Connection, PrometheusClient, basic
from rules.datasources.live import Allowance, LiveQueries
from rules.datasources.ranged import RangedQueries
from rules.language.engine import EvaluationLimits
from rules.models import Datasource
from rules.notify.addresses import resolve
from rules.notify.posting import Poster
from rules.services.authoring import Author

PASS_BUDGET_S: Final = 8.0
"""What a task that evaluates may wait for datasources: its soft limit is 20 s."""
MAX_DATASOURCES: Final = 20
"""Of a tenant: each in use takes threads of an evaluating worker."""
_URL: Final = TypeAdapter(AnyHttpUrl)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS: Final = {"authorization", "host", "content-length", "content-type", "transfer-encoding", "accept"}
_SECRETS: Final = {"none": set[str](), "basic": {"user", "password"}, "bearer": {"token"}}


class InvalidDatasource(PlatformError):
    """A datasource cannot be saved. `errors` has a reason for each field."""

    code = "datasource.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


class DatasourceInUse(PlatformError):
    """A datasource that rules name cannot be deleted."""

    code = "datasource.in_use"


class DatasourceDisabled(PlatformError):
    """A datasource is switched off, so its rules are in error."""

    code = "datasource.disabled"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a datasource said when it was tried."""

    ok: bool
    version: str = ""
    value: float | None = None
    """Of the expression `1`."""
    error: str = ""


@cache
def _ssl_context() -> SSLContext:
    """Certificates are read once."""
    return httpx.create_ssl_context()


def _poster() -> Poster:
    """The guard on addresses that receivers have."""
    allow_private = settings.ALLOW_PRIVATE_WEBHOOKS
    return Poster(resolve, allow_private=allow_private, ssl_context=_ssl_context(), monotonic=monotonic)


def save_datasource(datasource: Datasource, author: Author) -> Datasource:
    """Store a datasource.

    Raises
    ------
    InvalidDatasource, ValidationError
        Nothing is stored then.
    """
    datasource.full_clean()
    check_datasource(datasource)
    with transaction.atomic():
        datasource.save()
        detail = {"name": datasource.name, "url": datasource.url, "enabled": datasource.enabled}
        _record(datasource, "saved", detail, author)
    return datasource


def check_datasource(datasource: Datasource) -> None:
    """Refuse what could not be asked.

    Raises
    ------
    InvalidDatasource
        With a reason for each field that is wrong.
    """
    found = {
        "url": _url_fault(datasource.url),
        "headers": _headers_fault(datasource.headers),
        "secrets": _secrets_fault(datasource.auth, datasource.secrets),
        "name": _count_fault(datasource),
    }
    errors = {name: fault for name, fault in found.items() if fault}
    if errors:
        raise InvalidDatasource(errors)


def _url_fault(text: str) -> str:
    try:
        url = _URL.validate_python(text)
    except ValidationError:
        return f"{text!r} is no http or https URL"
    if url.username or url.password:
        return "a user and a password in the URL would be shown to everyone who may read it"
    if url.query or url.fragment or not text.isascii():
        return f"{text!r} has a query, a fragment or characters that are not ASCII"
    return ""


def _headers_fault(headers: Any) -> str:
    if not isinstance(headers, dict):
        return "a mapping of header names to texts is expected"
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
            return f"{name!r} is no header that can be set"
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            return f"the value of {name!r} is no printable ASCII text"
    return ""


def _secrets_fault(auth: str, secrets: Any) -> str:
    wanted = _SECRETS[auth]
    if not isinstance(secrets, dict) or set(secrets) != wanted:
        return f"with auth {auth!r} the secrets are: {', '.join(sorted(wanted)) or 'none'}"
    if not all(isinstance(value, str) and value.isprintable() for value in secrets.values()):
        return "secrets are printable texts"
    return "" if auth != "bearer" or secrets["token"].isascii() else "a token is ASCII"


def _count_fault(datasource: Datasource) -> str:
    others = Datasource.objects.for_tenant(datasource.tenant_id).exclude(pk=datasource.pk)
    return "" if others.count() < MAX_DATASOURCES else f"the tenant may have {MAX_DATASOURCES} datasources"


def delete_datasource(datasource: Datasource, author: Author) -> None:
    """Remove a datasource that no rule and no group names.

    Raises
    ------
    DatasourceInUse
    """
    users = datasource.rules.count() + datasource.groups.count()
    if users:
        raise DatasourceInUse(f"{users} rules and groups name datasource {datasource.name!r}")
    with transaction.atomic():
        _record(datasource, "deleted", {"name": datasource.name}, author)
        datasource.delete()


def _record(datasource: Datasource, what: str, detail: Mapping[str, Any], author: Author) -> None:
    deed = Deed(author.name, f"datasource.{what}", f"datasource:{datasource.pk}", detail)
    record(datasource.tenant_id, deed, at=author.now)


def probe(datasource: Datasource, *, now_ms: int) -> Probe:
    """Ask for the value of `1` and for the version, and say what came."""
    client = _client(datasource)
    try:
        answer = client.instant("1", now_ms, within_s=datasource.timeout_s)
        return Probe(ok=True, version=client.version(), value=float(answer.values[0]))
    except PlatformError as error:
        return Probe(ok=False, error=str(error))


def new_allowance() -> Allowance:
    """What one pass over a batch of shards may wait."""
    return Allowance(PASS_BUDGET_S, monotonic)


def live_queries(tenant_id: UUID, allowance: Allowance) -> LiveQueries:
    """The tenant's datasources, ready for one tick."""
    return LiveQueries(_clients(tenant_id), allowance)


def ranged_queries(tenant_id: UUID, ticks: range, limits: EvaluationLimits) -> RangedQueries:
    """The tenant's datasources, ready for one replay."""
    return RangedQueries(_clients(tenant_id), ticks, limits)


def _clients(tenant_id: UUID) -> dict[str, PrometheusClient | PlatformError]:
    return {
        str(one.pk): _client(one)
        if one.enabled
        else DatasourceDisabled(f"datasource {one.name!r} is disabled")
        for one in Datasource.objects.for_tenant(tenant_id)
    }


def _client(datasource: Datasource) -> PrometheusClient:
    headers, secrets = dict(datasource.headers), datasource.secrets
    if datasource.auth == Datasource.Auth.BASIC:
        headers["Authorization"] = basic(secrets["user"], secrets["password"])
    elif datasource.auth == Datasource.Auth.BEARER:
        headers["Authorization"] = f"Bearer {secrets['token']}"
    connection = Connection(datasource.name, datasource.url, headers, float(datasource.timeout_s))
    return PrometheusClient(connection, _poster())
