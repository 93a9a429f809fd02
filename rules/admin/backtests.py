"""A rule's back-test page: what it would have done over the last hours, drawn and listed."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import format_labels
from rules.evaluation.plots import draw
from rules.evaluation.replay import Transition
from rules.models import Rule
from rules.services.backtesting import Trial, backtest

HOUR_MS: Final = 3_600_000
MAX_SHOWN: Final = 500


class BacktestForm(forms.Form):
    """How far back."""

    hours = forms.IntegerField(
        min_value=1, max_value=24 * 31, initial=24, widget=UnfoldAdminIntegerFieldWidget
    )
    step_s = forms.IntegerField(
        min_value=1,
        required=False,
        label="Step in seconds",
        help_text="Empty: the group's interval.",
        widget=UnfoldAdminIntegerFieldWidget,
    )


class BacktestAdmin:
    """What the admin of rules has for back-tests."""

    admin_site: admin.AdminSite

    @action(description="Back-test", url_path="backtest", permissions=["view"])  # type: ignore[untyped-decorator]
    def backtest_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Replay the rule over the last hours; nothing is changed."""
        rule = get_object_or_404(Rule.across_tenants.select_related("group"), pk=object_id)
        form = BacktestForm(request.GET if "hours" in request.GET else {"hours": 24})
        shown: dict[str, Any] = {"title": f"Back-test of {rule.name}", "rule": rule, "form": form}
        if form.is_valid():
            shown |= _tried(rule, form.cleaned_data["hours"], form.cleaned_data["step_s"] or 0)
        context = {**self.admin_site.each_context(request), "opts": Rule._meta, **shown}
        return TemplateResponse(request, "rules/admin/backtest.html", context)


def _tried(rule: Rule, hours: int, step_s: int) -> dict[str, Any]:
    now_ms = SystemClock().now_ms()
    trial = Trial(now_ms - hours * HOUR_MS, now_ms, step_ms=step_s * 1000, rule=rule)
    try:
        done = backtest(rule.tenant_id, trial, now_ms=now_ms)
    except PlatformError as error:
        return {"error": str(error)}
    replay = done.verdict.replay
    return {
        "replay": replay,
        "in_error": replay.failures[0],
        "last_error": replay.errors.get(0, ""),
        "shown": [_row(one) for one in replay.transitions[:MAX_SHOWN]],
        "svg": b64encode(draw(done.plot).encode()).decode(),  # as an image, so that nothing in it can run
    }


def _row(one: Transition) -> dict[str, Any]:
    change = one.told.change
    return {
        "at": to_datetime(one.at_ms),
        "previous": change.previous,
        "state": change.state,
        "labels": format_labels(one.told.labels),
        "reason": change.reason,
    }
