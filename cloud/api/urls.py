"""Routes of cloud accounts, below `/api/`."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from cloud.api import views

router = SimpleRouter(use_regex_path=False)
router.register("cloud-accounts", views.CloudAccountViewSet, basename="cloud-account")

urlpatterns = router.urls
