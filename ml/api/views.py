"""Model groups and versions over REST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.core.clock import SystemClock, from_datetime, to_datetime
from alertsite.web.credentials import READ
from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from alertsite.web.views import TenantView
from ml.api.serializers import (
    AtSerializer,
    DriftEventSerializer,
    ModelGroupSerializer,
    ModelPreviewSerializer,
    ModelVersionSerializer,
    PredictionSerializer,
)
from ml.models import DriftEvent, ModelGroup, ModelVersion
from ml.services import groups
from ml.services.explaining import Explanation, explain
from ml.services.likelihood import predict_alert_likelihood
from ml.services.previewing import preview
from ml.services.previewing_anomalies import Event, Preview
from rules.evaluation.plots import draw
from rules.services.authoring import Author
from rules.services.transitions import finite


class NewestVersion(CursorPages):
    """Versions, the newest first."""

    ordering = ("-created_at", "-number", "id")


class ModelGroupViewSet(EditableViewSet):
    """Model groups."""

    nothing = ModelGroup.across_tenants.none()
    serializer_class = ModelGroupSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[ModelGroup]:
        return ModelGroup.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: ModelGroup) -> ModelGroup:
        return groups.save_group(row, self.author)

    def remove(self, row: ModelGroup) -> None:
        groups.delete_group(row, self.author)

    @extend_schema(request=None, responses={202: ModelGroupSerializer})
    @action(detail=True, methods=["post"])
    def train(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Have it learn at the next waking."""
        group = self.get_object()
        groups.train_soon(group, self.author)
        group.refresh_from_db()
        return Response(self.get_serializer(group).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[AtSerializer], responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def explain(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Why its series have their scores, now or at `at`."""
        asked = AtSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        at = asked.validated_data.get("at", self.now)
        version, found = explain(self.get_object(), from_datetime(at), now_ms=from_datetime(self.now))
        model = ModelVersionSerializer(version).data
        return Response({"version": model, "series": [_explained(one) for one in found]})


class PreviewView(TenantView):
    """What a group would have found. Changes nothing, so reading is enough."""

    write_scope: ClassVar[str] = READ

    @extend_schema(request=ModelPreviewSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Events with start, end and peak, and the strangest series as pictures in SVG: their values and
        scores, or what was foretold at `start` and what came.
        """
        asked = ModelPreviewSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        start_ms, end_ms = from_datetime(values.pop("start")), from_datetime(values.pop("end"))
        group = groups.draft_group(self.grant.tenant_id, values, Author(self.actor, self.now))
        return Response(_previewed(preview(group, start_ms, end_ms, now_ms=from_datetime(self.now))))


class PredictionView(TenantView):
    """How likely alerts are. Changes nothing, so reading is enough."""

    write_scope: ClassVar[str] = READ

    @extend_schema(request=PredictionSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """The probability of an alert, the alerts foretold, what drives them, and how far to trust it."""
        asked = PredictionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        found = predict_alert_likelihood(
            self.grant.tenant_id, values["metrics"], horizon_s=values["horizon"], clock=SystemClock()
        )
        return Response(asdict(found))


class ModelVersionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Versions of models."""

    nothing = ModelVersion.across_tenants.none()
    serializer_class = ModelVersionSerializer
    pagination_class = NewestVersion

    def rows(self) -> QuerySet[ModelVersion]:
        rows = ModelVersion.objects.for_tenant(self.grant.tenant_id)
        return rows.defer("artefact").select_related("group")

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let it score."""
        return self._done(groups.promote)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Take it out of service."""
        return self._done(groups.retire)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def shadow(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let it score beside the champion, in series that no rule reads."""
        return self._done(groups.shadow)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let the version before this champion score again."""
        return self._done(groups.rollback)

    def _done(self, act: Callable[[ModelVersion, Author], ModelVersion]) -> Response:
        return Response(self.get_serializer(act(self.get_object(), self.author)).data)


class NewestDrift(CursorPages):
    """Drift events, the newest first."""

    ordering = ("-at", "id")


class DriftEventViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Drift that was seen."""

    nothing = DriftEvent.across_tenants.none()
    serializer_class = DriftEventSerializer
    pagination_class = NewestDrift
    filterset_fields: ClassVar[list[str]] = ["group", "subject"]

    def rows(self) -> QuerySet[DriftEvent]:
        return DriftEvent.objects.for_tenant(self.grant.tenant_id)


def _explained(one: Explanation) -> dict[str, Any]:
    return {
        "labels": dict(one.labels),
        "value": finite(one.value),
        "score": finite(one.score),
        "expected": finite(one.expected),
        "lower": finite(one.lower),
        "upper": finite(one.upper),
        "reasons": [
            {"feature": reason.feature, "value": finite(reason.value), "excess": finite(reason.excess)}
            for reason in one.reasons
        ],
        "nearest_cases": [
            {"at": to_datetime(case.at_ms), "value": case.value, "score": finite(case.score)}
            for case in one.cases
        ],
    }


def _previewed(done: Preview) -> dict[str, Any]:
    return {
        "series": done.series,
        "event_count": len(done.events),
        "events": [_event(one) for one in done.events],
        "quality": done.quality,
        "plots": [draw(plot) for plot in done.plots],
    }


def _event(one: Event) -> dict[str, Any]:
    return {
        "labels": dict(one.labels),
        "start": to_datetime(one.start_ms),
        "end": to_datetime(one.end_ms),
        "peak_at": to_datetime(one.peak_ms),
        "peak": finite(one.peak),
    }
