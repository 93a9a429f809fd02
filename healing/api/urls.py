"""Routes of healing, below `/api/`."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from healing.api import automations, views

router = SimpleRouter(use_regex_path=False)
router.register("playbooks", views.PlaybookViewSet, basename="playbook")
router.register("healing-runs", views.HealingRunViewSet, basename="healing-run")
router.register("automations", automations.AutomationViewSet, basename="automation")
router.register("proposals", automations.ProposalViewSet, basename="proposal")

urlpatterns = [
    path("playbooks/validate/", views.PlaybookCheckView.as_view()),
    path("healing-policy/", views.HealingPolicyView.as_view()),
    *router.urls,
]
