"""Model groups that conditions of rules ask for.

In: an anomaly condition. Out: nothing; its group is there afterwards. Refused: a group that is only named and
does not exist, and a name whose group watches something else.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from alertsite.core.errors import InvalidParameter
from ml.models import ModelGroup
from ml.services.groups import save_group
from rules.language.conditions import Anomaly
from rules.services.authoring import Author

TERMS = ("selector", "detector", "sensitivity", "direction", "min_deviation")


def ensure_group(tenant_id: UUID, wanted: Anomaly, *, actor: str, now: datetime) -> None:
    """Find the group of a condition, or make it and have it learn at once.

    Raises
    ------
    InvalidParameter
        If there can be no such group.
    InvalidModelGroup
        If its selector or its detector cannot be scored.
    """
    name = wanted.group_name()
    found = ModelGroup.objects.for_tenant(tenant_id).filter(name=name, kind=ModelGroup.Kind.ANOMALY).first()
    if not wanted.selector:
        if found is None:
            raise InvalidParameter("model_group", name, "a model group of anomalies that exists")
        return
    terms = {term: getattr(wanted, term) for term in TERMS}
    if found is None:
        save_group(ModelGroup(tenant_id=tenant_id, name=name, **terms), Author(actor, now))
    elif terms != {term: getattr(found, term) for term in TERMS}:
        raise InvalidParameter("model_group", name, f"another name: this one watches {found.selector!r}")
