"""Routes of models, below `/api/`."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from ml.api import views

router = SimpleRouter(use_regex_path=False)
router.register("model-groups", views.ModelGroupViewSet, basename="model-group")
router.register("model-versions", views.ModelVersionViewSet, basename="model-version")
router.register("drift-events", views.DriftEventViewSet, basename="drift-event")

urlpatterns = [
    path("model-groups/preview/", views.PreviewView.as_view()),
    path("predictions/", views.PredictionView.as_view()),
    *router.urls,
]
