"""Routes of rules, alerts and deliveries, below `/api/`."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from rules.api import backtests, handling, linting, reports, rulefiles, ruletests, views

router = SimpleRouter(use_regex_path=False)
router.register("rule-groups", views.RuleGroupViewSet, basename="rule-group")
router.register("rules", views.RuleViewSet, basename="rule")
router.register("alerts", views.AlertViewSet, basename="alert")
router.register("transitions", views.TransitionViewSet, basename="transition")
router.register("receivers", views.ReceiverViewSet, basename="receiver")
router.register("datasources", views.DatasourceViewSet, basename="datasource")
router.register("deliveries", views.DeliveryViewSet, basename="delivery")
router.register("dead-letters", views.DeadLetterViewSet, basename="dead-letter")
router.register("report-schedules", reports.ReportScheduleViewSet, basename="report-schedule")
router.register("reports", reports.ReportViewSet, basename="report")
router.register("ledger", views.LedgerViewSet, basename="ledger")

urlpatterns = [
    path("rules/import/", rulefiles.ImportView.as_view()),
    path("rules/backtest/", backtests.BacktestView.as_view()),
    path("rules/lint/", linting.LintView.as_view()),
    path("rules/test/", ruletests.RuleTestView.as_view()),
    path("alerts/bulk/", handling.BulkView.as_view()),
    path("rules/export/", rulefiles.ExportView.as_view()),
    *router.urls,
]
