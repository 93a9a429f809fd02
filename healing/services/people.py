"""What only a person may do: arm, approve, say what became of an uncertain step."""

from __future__ import annotations

from alertsite.core.errors import PlatformError


class NotAPerson(PlatformError):
    """A machine's credential asked for what only a person may do."""

    code = "healing.not_a_person"


def check_person(name: str, *, is_person: bool) -> None:
    """Refuse a machine's credential: whoever holds an API key may be anybody.

    Raises
    ------
    NotAPerson
    """
    if not is_person:
        raise NotAPerson(f"{name} is a machine's credential, and a person must do this")
