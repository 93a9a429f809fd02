"""Identifier types, so that another row's id is never passed where a rule's is meant."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

RuleId = NewType("RuleId", UUID)
