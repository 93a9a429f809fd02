"""Names that the commands of the runtime agree on."""

from __future__ import annotations

from typing import Final

OPERATOR: Final = "operator"
"""The superuser made at the first start; Flower's user has the same name."""
CHECK_USER: Final = "up-check"
"""Who `manage.py up --check` signs in as: a member of the demo tenant, with a new password each time."""
DEMO_TENANT: Final = "demo"
