"""What only a person may do: arm, approve, say what became of an uncertain step."""

from __future__ import annotations

from uuid import UUID

from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Membership, User
from alertsite.tenancy.scope import platform_scope


class NotAPerson(PlatformError):
    """A machine's credential asked for what only a person may do."""

    code = "healing.not_a_person"


class NotAnOwner(PlatformError):
    """Only an owner of the tenant may do this."""

    code = "healing.not_an_owner"


def check_person(name: str, *, is_person: bool) -> None:
    """Refuse a machine's credential: whoever holds an API key may be anybody.

    Raises
    ------
    NotAPerson
    """
    if not is_person:
        raise NotAPerson(f"{name} is a machine's credential, and a person must do this")


def check_owner(tenant_id: UUID, user: object) -> None:
    """Refuse whoever does not own the tenant: one member alone must not do away with four eyes.

    Raises
    ------
    NotAPerson, NotAnOwner
    """
    if not isinstance(user, User):
        raise NotAPerson("a machine's credential: a person must do this")
    with platform_scope():
        owned = Membership.across_tenants.filter(user=user, tenant_id=tenant_id, role=Membership.Role.OWNER)
        if not user.is_superuser and not owned.exists():
            raise NotAnOwner(f"{user.get_username()} does not own the tenant")
