"""A service to break in the demo tenant: an account that reaches a simulator, a rule, and a playbook.

Nobody has armed the playbook: until a person does, it rehearses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np

from alertsite.audit.services import Author
from alertsite.core.clock import Clock, to_datetime
from alertsite.core.labels import METRIC_NAME, label_set
from alertsite.tenancy.models import Tenant
from cloud.models import CloudAccount
from cloud.services.accounts import save_account
from healing.models import Playbook
from healing.services.playbooks import Draft, save_playbook
from rules.language.rulefile import parse_rule_file
from rules.models import RuleGroup
from rules.series.protocols import SampleBatch
from rules.services.importing import import_groups
from rules.services.stores import hot_store

AUTHOR: Final = "system:demo"
PLAYBOOK: Final = "restart the demo's service"
SERIES: Final = label_set({METRIC_NAME: "demo_service_up", "service": "api"})
_EXAMPLE: Final = Path(__file__).resolve().parents[2] / "examples" / "playbooks" / "demo-service.yaml"
_RULES: Final = """\
groups:
  - name: demo service
    interval: 1s
    rules:
      - alert: DemoServiceDown
        expr: demo_service_up == 0
        labels: {severity: high}
        annotations: {summary: "{{ $labels.service }} of the sandbox is down"}
"""


def furnish(tenant: Tenant, account: Mapping[str, Any], clock: Clock) -> Playbook:
    """Make or renew the account; make the rule and the playbook where they are not there yet.

    Raises
    ------
    InvalidParameter
        If the account's address is not allowed: see `CLOUD_ALLOW_PRIVATE`.
    """
    author = Author(AUTHOR, to_datetime(clock.now_ms()))
    known = CloudAccount.objects.for_tenant(tenant).filter(name=account["name"]).first()
    row = known or CloudAccount(tenant=tenant, name=account["name"], provider=account["provider"])
    row.settings, row.credentials = account["settings"], account["credentials"]
    save_account(row, author)
    groups = parse_rule_file(_RULES)
    if not RuleGroup.objects.for_tenant(tenant).filter(name=groups[0].name).exists():
        import_groups(tenant.pk, groups, author)
    playbook = Playbook.objects.for_tenant(tenant).filter(name=PLAYBOOK).first()
    return playbook or save_playbook(
        Playbook(tenant=tenant), Draft(_EXAMPLE.read_text(encoding="utf-8")), author
    )


def say(tenant_id: UUID, clock: Clock, *, well: bool) -> None:
    """Write whether the service is up, as its own probe would."""
    now_ms = clock.now_ms()
    batch = SampleBatch([SERIES], np.zeros(1, np.int64), np.full(1, now_ms), np.array([float(well)]))
    hot_store(tenant_id).append(batch, now_ms=now_ms)
