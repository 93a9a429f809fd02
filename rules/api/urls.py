"""Routes of rules, alerts and deliveries, below `/api/`."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from rules.api import (
    backtests,
    handling,
    heartbeats,
    hooks,
    incidents,
    linting,
    people,
    reports,
    routing,
    rulefiles,
    ruletests,
    views,
)

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
router.register("routes", routing.RouteViewSet, basename="route")
router.register("time-intervals", routing.IntervalViewSet, basename="time-interval")
router.register("inhibition-rules", routing.InhibitionViewSet, basename="inhibition-rule")
router.register("silences", routing.SilenceViewSet, basename="silence")
router.register("alert-groups", routing.GroupViewSet, basename="alert-group")
router.register("suppressions", routing.SuppressionViewSet, basename="suppression")
router.register("incidents", incidents.IncidentViewSet, basename="incident")
router.register("ledger", views.LedgerViewSet, basename="ledger")
router.register("people", people.PersonViewSet, basename="person")
router.register("teams", people.TeamViewSet, basename="team")
router.register("schedules", people.ScheduleViewSet, basename="schedule")
router.register("overrides", people.OverrideViewSet, basename="override")
router.register("escalation-policies", people.PolicyViewSet, basename="escalation-policy")
router.register("escalations", people.EscalationViewSet, basename="escalation")
router.register("heartbeats", heartbeats.HeartbeatViewSet, basename="heartbeat")
router.register("hooks", hooks.HookViewSet, basename="hook")

urlpatterns = [
    path("rules/import/", rulefiles.ImportView.as_view()),
    path("rules/backtest/", backtests.BacktestView.as_view()),
    path("rules/lint/", linting.LintView.as_view()),
    path("rules/test/", ruletests.RuleTestView.as_view()),
    path("routes/alertmanager/", routing.AlertmanagerFileView.as_view()),
    path("notification-settings/", routing.SettingsView.as_view()),
    path("alerts/bulk/", handling.BulkView.as_view()),
    path("rules/export/", rulefiles.ExportView.as_view()),
    *router.urls,
    path("heartbeats/<str:token>/", heartbeats.SuccessView.as_view()),
    path("heartbeats/<str:token>/start", heartbeats.StartView.as_view()),
    path("heartbeats/<str:token>/fail", heartbeats.FailView.as_view()),
    path("hooks/<str:token>/", hooks.HookView.as_view()),
]
