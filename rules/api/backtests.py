"""Back-tests over REST: what a rule or a draft would have done over stored history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Final

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.web.credentials import READ
from alertsite.web.views import TenantView
from rules.api.serializers import DurationField, RuleSerializer
from rules.evaluation.plots import Plot, draw
from rules.evaluation.replay import FiringInterval, Transition
from rules.evaluation.scoring import Span
from rules.models import Rule, RuleGroup
from rules.services import authoring
from rules.services.authoring import RuleDraft
from rules.services.backtesting import Backtest, Trial, Verdict, backtest
from rules.services.transitions import finite

MAX_SHOWN: Final = 5000


class IncidentSerializer(serializers.Serializer[Any]):
    """A time in which something was wrong, as people labelled it."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class BacktestSerializer(serializers.Serializer[Any]):
    """What to try. `draft` has the fields of a rule; with `rule` it says what differs from it."""

    rule = serializers.UUIDField(required=False)
    draft = serializers.DictField(required=False)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    step = DurationField(required=False)
    incidents = serializers.ListField(child=IncidentSerializer(), required=False, max_length=1000)
    svg = serializers.BooleanField(default=False, help_text="Draw the plot as well.")


class BacktestView(TenantView):
    """What a rule would have done. Changes nothing, so reading is enough."""

    write_scope: ClassVar[str] = READ

    @extend_schema(request=BacktestSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Transitions, firing intervals, alert minutes, notifications, and how they met the incidents."""
        asked = BacktestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        trial = self._trial(asked.validated_data)
        done = backtest(self.grant.tenant_id, trial, now_ms=from_datetime(self.now))
        return Response(_present(done, svg=asked.validated_data["svg"]))

    def _trial(self, asked: Mapping[str, Any]) -> Trial:
        rule = None
        if "rule" in asked:
            rows = Rule.objects.for_tenant(self.grant.tenant_id).select_related("group")
            rule = get_object_or_404(rows, pk=asked["rule"])
        draft, group = self._draft(asked.get("draft"), rule)
        return Trial(
            start_ms=from_datetime(asked["start"]),
            end_ms=from_datetime(asked["end"]),
            step_ms=asked.get("step", 0) * 1000,
            rule=rule,
            draft=draft,
            group=group,
            incidents=[
                Span(from_datetime(one["start"]), from_datetime(one["end"]))
                for one in asked.get("incidents", ())
            ],
        )

    def _draft(
        self, values: Mapping[str, Any] | None, rule: Rule | None
    ) -> tuple[RuleDraft | None, RuleGroup | None]:
        """The draft, over what the rule is, and the group that it names."""
        if values is None:
            return None, None
        before = RuleDraft(name="draft") if rule is None else authoring.draft_of(rule)
        fields = RuleSerializer(data=dict(values), partial=True, context={"view": self})
        fields.is_valid(raise_exception=True)
        return fields.draft(before), fields.validated_data.get("group")


def _present(done: Backtest, *, svg: bool) -> dict[str, Any]:
    shown = _verdict(done.verdict) | {"plot": _plot(done.plot)}
    if svg:
        shown["svg"] = draw(done.plot)
    if done.live is not None and done.difference is not None:
        shown |= {"live": _verdict(done.live), "difference": asdict(done.difference)}
    return shown


def _verdict(verdict: Verdict) -> dict[str, Any]:
    done = verdict.replay
    return {
        "ticks": done.ticks,
        "ticks_in_error": done.failures[0],
        "ticks_without_data": done.without_data[0],
        "error": done.errors.get(0, ""),
        "samples_read": done.samples_read,
        "notifications": done.notifications,
        "alert_minutes": done.alert_minutes,
        "transition_count": len(done.transitions),
        "transitions": [_transition(one) for one in done.transitions[:MAX_SHOWN]],
        "firing": [_interval(one) for one in done.intervals[:MAX_SHOWN]],
        "score": None if verdict.score is None else asdict(verdict.score),
    }


def _transition(one: Transition) -> dict[str, Any]:
    change = one.told.change
    return {
        "at": to_datetime(one.at_ms),
        "labels": dict(one.told.labels),
        "annotations": dict(one.told.annotations),
        "previous": change.previous,
        "state": change.state,
        "reason": change.reason,
        "value": finite(one.told.value),
        "notified": one.notified,
    }


def _interval(one: FiringInterval) -> dict[str, Any]:
    return {
        "labels": dict(one.labels),
        "start": to_datetime(one.start_ms),
        "end": None if one.open else to_datetime(one.end_ms),
    }


def _plot(plot: Plot) -> dict[str, Any]:
    return {
        "times_ms": plot.times_ms.tolist(),
        "threshold": None if plot.threshold is None else finite(plot.threshold),
        "series": [{"labels": dict(line.labels), "values": list(line.values)} for line in plot.lines],
        "firing_ms": [[span.start_ms, span.end_ms] for span in plot.firing],
    }
