"""Routes of models, below `/api/`; what is told of them at `/metrics` joins the platform's own."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from alertsite.core.clock import SystemClock
from ml.api import views
from ml.services.measuring import ModelCollector
from rules.api import operations

router = SimpleRouter(use_regex_path=False)
router.register("model-groups", views.ModelGroupViewSet, basename="model-group")
router.register("model-versions", views.ModelVersionViewSet, basename="model-version")
router.register("drift-events", views.DriftEventViewSet, basename="drift-event")

operations.registry.register(ModelCollector(SystemClock()))

urlpatterns = [
    path("model-groups/preview/", views.PreviewView.as_view()),
    path("predictions/", views.PredictionView.as_view()),
    *router.urls,
]
