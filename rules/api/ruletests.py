"""Unit tests of rules over REST."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.credentials import READ
from alertsite.web.views import TenantView
from rules.services.ruletesting import failures_of_tenant

MAX_CHARACTERS = 1 << 20


class RuleTestSerializer(serializers.Serializer[Any]):
    """A test file, and the rule file that it tests; without one, the tenant's rules."""

    tests = serializers.CharField(max_length=MAX_CHARACTERS, trim_whitespace=False)
    rules = serializers.CharField(max_length=MAX_CHARACTERS, trim_whitespace=False, required=False)


class RuleTestView(TenantView):
    """Run unit tests in promtool's format. Changes nothing, so reading is enough."""

    write_scope: ClassVar[str] = READ

    @extend_schema(request=RuleTestSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Whether the tests pass, and what fails."""
        asked = RuleTestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        failures = failures_of_tenant(self.grant.tenant_id, values["tests"], values.get("rules"))
        return Response({"passed": not failures, "failures": failures})
