"""Admin of healing: playbooks with a check and a rehearsal, runs with their whole story."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from alertsite.audit.services import Author
from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.web.admin import ReadOnlyAdmin
from healing.models import (
    Approval,
    Automation,
    HealingCall,
    HealingCue,
    HealingPolicy,
    HealingRun,
    HealingStep,
    HealingTally,
    Playbook,
    PlaybookVersion,
    Proposal,
)
from healing.services import (
    approving,
    automating,
    automations,
    handling,
    playbooks,
    proposals,
    starting,
)
from healing.services.policies import save_policy
from healing.services.storytelling import story_of


def author_of(request: HttpRequest) -> Author:
    """Who acts, and when."""
    return Author(request.user.get_username(), to_datetime(SystemClock().now_ms()))


class PlaybookForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses, with line and column, a text that does not compile."""

    text = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 30, "style": "font-family: monospace"}),
        strip=False,
        help_text="YAML; see docs/healing.md. Saving another content disarms the playbook.",
    )

    class Meta:
        model = Playbook
        fields = ["tenant", "text", "enabled"]

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        if self.instance.version is not None:
            self.fields["text"].initial = self.instance.version.text

    def clean_text(self) -> str:
        """The text, if it compiles."""
        text = str(self.cleaned_data["text"]).replace("\r\n", "\n")
        problems = playbooks.problems_of(text)
        if problems:
            raise ValidationError([str(problem) for problem in problems])
        return text


@admin.register(Playbook)
class PlaybookAdmin(ModelAdmin):  # type: ignore[misc]
    form = PlaybookForm
    list_display = ["name", "tenant", "trigger_kind", "enabled", "armed_by", "failures", "breaker_opened_at"]
    list_filter = ["tenant", "trigger_kind", "enabled"]
    search_fields = ["name"]
    readonly_fields = [
        "name",
        "trigger_kind",
        "version",
        "armed_by",
        "armed_at",
        "failures",
        "breaker_opened_at",
    ]
    actions = ["rehearse", "arm", "disarm", "reset_breaker"]

    def get_readonly_fields(self, request: HttpRequest, obj: Playbook | None = None) -> list[str]:  # noqa: ARG002
        """A playbook stays with its tenant."""
        return [*self.readonly_fields, "tenant"] if obj else list(self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Playbook, form: Any, change: Any) -> None:  # noqa: ARG002
        draft = playbooks.Draft(form.cleaned_data["text"], form.cleaned_data["enabled"])
        playbooks.save_playbook(obj, draft, author_of(request))

    def delete_model(self, request: HttpRequest, obj: Playbook) -> None:
        playbooks.delete_playbook(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Playbook]) -> None:
        for playbook in queryset:
            playbooks.delete_playbook(playbook, author_of(request))

    @admin.action(description="Rehearse: a dry run without an alert", permissions=["change"])
    def rehearse(self, request: HttpRequest, queryset: QuerySet[Playbook]) -> None:
        """The run's page shows what it would do."""
        self._each(
            request,
            queryset,
            lambda one, author: starting.start_by_hand(one, starting.Wish(), author, is_person=True),
        )

    @admin.action(description="Arm: let its runs act", permissions=["change"])
    def arm(self, request: HttpRequest, queryset: QuerySet[Playbook]) -> None:
        """Of the version that stands now."""
        self._each(request, queryset, lambda one, author: playbooks.arm(one, author, is_person=True))

    @admin.action(description="Disarm: let it rehearse only", permissions=["change"])
    def disarm(self, request: HttpRequest, queryset: QuerySet[Playbook]) -> None:
        """Runs under way go on."""
        self._each(request, queryset, playbooks.disarm)

    @admin.action(description="Reset the breaker", permissions=["change"])
    def reset_breaker(self, request: HttpRequest, queryset: QuerySet[Playbook]) -> None:
        """Let it start again."""
        self._each(
            request, queryset, lambda one, author: playbooks.reset_breaker(one, author, is_person=True)
        )

    def _each(self, request: HttpRequest, queryset: QuerySet[Playbook], act: Any) -> None:
        for playbook in queryset.select_related("version"):
            _tried(request, playbook.name, lambda playbook=playbook: act(playbook, author_of(request)))


def _tried(request: HttpRequest, name: str, act: Any) -> None:
    """Do it, and say how it went."""
    try:
        act()
    except PlatformError as error:
        messages.error(request, f"{name}: {error}")
    else:
        messages.success(request, f"{name}: done")


@admin.register(HealingRun)
class HealingRunAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "tenant", "playbook_name", "state", "reason", "dry", "cause", "target"]
    list_filter = ["tenant", "state", "dry", "cause"]
    search_fields = ["playbook_name", "target"]
    fields = [
        "playbook_name",
        "version",
        "state",
        "reason",
        "dry",
        "cause",
        "started_by",
        "target",
        "subject",
        "needed",
        "expires_at",
        "created_at",
        "began_at",
        "first_action_at",
        "finished_at",
        "story",
    ]
    readonly_fields = ["story"]
    actions = ["approve", "reject", "cancel", "it_happened", "it_did_not"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Operators read, and act by actions."""
        return bool(request.user.is_superuser)

    @admin.display(description="What it saw, who approved, what each call sent and returned")
    def story(self, run: HealingRun) -> SafeString:
        """The whole story."""
        told = json.dumps(story_of(run), cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)
        return format_html("<pre style='white-space: pre-wrap'>{}</pre>", told)

    @admin.action(description="Approve what it asks now", permissions=["view"])
    def approve(self, request: HttpRequest, queryset: QuerySet[HealingRun]) -> None:
        """Not its author, nor whoever started it."""
        self._vote(request, queryset, approves=True)

    @admin.action(description="Reject what it asks now", permissions=["view"])
    def reject(self, request: HttpRequest, queryset: QuerySet[HealingRun]) -> None:
        """One no ends it."""
        self._vote(request, queryset, approves=False)

    @admin.action(description="Cancel: take no further step", permissions=["view"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[HealingRun]) -> None:
        """What was accepted is followed to its end."""
        author = author_of(request)
        for run in queryset:
            _tried(request, str(run), lambda run=run: handling.cancel(run.tenant_id, run.pk, author))

    @admin.action(description="The uncertain step happened", permissions=["view"])
    def it_happened(self, request: HttpRequest, queryset: QuerySet[HealingRun]) -> None:
        """The run goes on."""
        self._settle(request, queryset, happened=True)

    @admin.action(description="The uncertain step did not happen", permissions=["view"])
    def it_did_not(self, request: HttpRequest, queryset: QuerySet[HealingRun]) -> None:
        """The step has failed."""
        self._settle(request, queryset, happened=False)

    def _vote(self, request: HttpRequest, queryset: QuerySet[HealingRun], *, approves: bool) -> None:
        author = author_of(request)
        for run in queryset:
            said = approving.Said(approves, "in the admin", run.subject, run.plan_hash)

            def act(run: HealingRun = run, said: approving.Said = said) -> object:
                return approving.vote(run.tenant_id, run.pk, said, author, is_person=True)

            _tried(request, str(run), act)

    def _settle(self, request: HttpRequest, queryset: QuerySet[HealingRun], *, happened: bool) -> None:
        author = author_of(request)
        for run in queryset:

            def act(run: HealingRun = run) -> object:
                return handling.settle(run.tenant_id, run.pk, author, happened=happened, is_person=True)

            _tried(request, str(run), act)


@admin.register(HealingStep)
class HealingStepAdmin(ReadOnlyAdmin):
    list_display = ["run", "key", "kind", "word", "account", "state", "reason"]
    list_filter = ["tenant", "state", "word"]
    readonly_fields = ["said"]

    @admin.display(description="Calls")
    def said(self, step: HealingStep) -> SafeString:
        """What was sent and what came back."""
        rows = step.calls(manager="across_tenants").order_by("id")
        return format_html_join(
            "", "<p>{} {}: {}</p>", ((one.phase, one.request, one.status) for one in rows)
        )


@admin.register(HealingPolicy)
class HealingPolicyAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["tenant", "low", "medium", "high", "per_hour", "share", "concurrent"]

    def save_model(self, request: HttpRequest, obj: HealingPolicy, form: Any, change: Any) -> None:  # noqa: ARG002
        save_policy(obj, author_of(request))


@admin.register(PlaybookVersion)
class PlaybookVersionAdmin(ReadOnlyAdmin):
    list_display = ["playbook", "number", "author", "created_at", "digest"]
    list_filter = ["tenant"]


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = ["run", "person", "approves", "subject", "at", "spent_at"]
    list_filter = ["tenant", "approves"]


@admin.register(HealingCall)
class HealingCallAdmin(ReadOnlyAdmin):
    list_display = ["at", "step", "phase", "request", "status", "seconds"]
    list_filter = ["tenant", "phase"]


@admin.register(HealingCue)
class HealingCueAdmin(ReadOnlyAdmin):
    list_display = ["transition_id", "tenant", "created_at"]


class AutomationForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses terms that do not read, or that its tenant may not have."""

    class Meta:
        model = Automation
        fields = ["tenant", "name", "kind", "terms", "enabled"]

    def clean(self) -> dict[str, Any]:
        """The form, if its terms are of its kind."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if {"kind", "terms"} <= set(cleaned):
            tenant = cleaned.get("tenant", self.instance.tenant if self.instance.tenant_id else None)
            wanted = Automation(tenant=tenant, kind=cleaned["kind"], terms=cleaned["terms"])
            try:
                automations.check(wanted)
            except PlatformError as error:
                raise ValidationError({"terms": str(error)}) from None
        return cleaned


@admin.register(Automation)
class AutomationAdmin(ModelAdmin):  # type: ignore[misc]
    form = AutomationForm
    list_display = ["name", "tenant", "kind", "enabled", "armed_by", "next_due_at", "fault"]
    list_filter = ["tenant", "kind", "enabled"]
    search_fields = ["name"]
    readonly_fields = ["armed_by", "armed_at", "next_due_at", "tally", "fault"]
    actions = ["arm", "disarm"]

    def get_readonly_fields(self, request: HttpRequest, obj: Automation | None = None) -> list[str]:  # noqa: ARG002
        """An automation stays with its tenant."""
        return [*self.readonly_fields, "tenant"] if obj else list(self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Automation, form: Any, change: Any) -> None:  # noqa: ARG002
        automations.save_automation(obj, author_of(request))

    def delete_model(self, request: HttpRequest, obj: Automation) -> None:
        automations.delete_automation(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Automation]) -> None:
        for row in queryset:
            automations.delete_automation(row, author_of(request))

    @admin.action(description="Arm: let it act", permissions=["change"])
    def arm(self, request: HttpRequest, queryset: QuerySet[Automation]) -> None:
        """On the terms that stand now."""
        author = author_of(request)
        for row in queryset:
            _tried(request, row.name, lambda row=row: automations.arm(row, author, is_person=True))

    @admin.action(description="Disarm: let it only say what it would do", permissions=["change"])
    def disarm(self, request: HttpRequest, queryset: QuerySet[Automation]) -> None:
        """What is under way goes on."""
        for row in queryset:
            _tried(request, row.name, lambda row=row: automations.disarm(row, author_of(request)))


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "tenant", "subject", "current", "proposed", "state", "shadow", "decided_by"]
    list_filter = ["tenant", "kind", "state", "shadow"]
    search_fields = ["subject"]
    actions = ["approve", "refuse"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Operators read, and decide by actions."""
        return bool(request.user.is_superuser)

    @admin.action(description="Approve: have it carried out", permissions=["view"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        """A move starts a run, which somebody else approves."""
        for row in queryset.select_related("automation"):
            _tried(request, str(row), lambda row=row: automating.approve(row, author_of(request)))

    @admin.action(description="Refuse", permissions=["view"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        """It may be proposed again."""
        for row in queryset:
            _tried(request, str(row), lambda row=row: proposals.refuse(row, author_of(request)))


@admin.register(HealingTally)
class HealingTallyAdmin(ReadOnlyAdmin):
    list_display = ["playbook_name", "tenant", "word", "outcome", "total"]
    list_filter = ["tenant"]
