"""Identifier types, so that a tenant's id is never passed where a rule's is meant."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

TenantId = NewType("TenantId", UUID)
RuleId = NewType("RuleId", UUID)
ShardId = NewType("ShardId", UUID)
AlertId = NewType("AlertId", UUID)
SeriesNumber = NewType("SeriesNumber", int)
"""Dense number of a label set within one tenant, assigned once by the hot store."""
