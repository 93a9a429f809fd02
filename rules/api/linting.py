"""Lint over REST: advice on a rule before it is saved."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.credentials import READ
from alertsite.web.views import TenantView
from rules.api.serializers import RuleSerializer
from rules.services.authoring import RuleDraft
from rules.services.linting import advise


class LintView(TenantView):
    """What is worth saying about a draft. Changes nothing, so reading is enough."""

    write_scope: ClassVar[str] = READ

    @extend_schema(request=RuleSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Warnings, and the estimated cost of an evaluation."""
        fields = RuleSerializer(data=request.data, partial=True, context={"view": self})
        fields.is_valid(raise_exception=True)
        advice = advise(
            self.grant.tenant_id, fields.draft(RuleDraft(name="draft")), fields.validated_data.get("group")
        )
        return Response({"warnings": [asdict(one) for one in advice.warnings], "cost": asdict(advice.cost)})
