"""Playbooks, runs and policies as JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from healing.models import Automation, HealingPolicy, HealingRun, Playbook, PlaybookVersion, Proposal
from healing.services.storytelling import story_of


class PlaybookVersionSerializer(serializers.ModelSerializer[PlaybookVersion]):
    """A playbook as it was saved once."""

    class Meta:
        model = PlaybookVersion
        fields = ["number", "text", "digest", "author", "created_at"]
        read_only_fields = fields


class PlaybookSerializer(serializers.ModelSerializer[Playbook]):
    """A playbook; its name and trigger stand in its text."""

    text = serializers.CharField(max_length=200_000, source="version.text", trim_whitespace=False)
    version = serializers.IntegerField(source="version.number", read_only=True)
    digest = serializers.CharField(source="version.digest", read_only=True)
    author = serializers.CharField(source="version.author", read_only=True)

    class Meta:
        model = Playbook
        fields = [
            "id",
            "name",
            "text",
            "enabled",
            "trigger_kind",
            "version",
            "digest",
            "author",
            "armed_by",
            "armed_at",
            "failures",
            "breaker_opened_at",
            "created_at",
        ]
        read_only_fields = [
            "id",
            "name",
            "trigger_kind",
            "armed_by",
            "armed_at",
            "failures",
            "breaker_opened_at",
            "created_at",
        ]


class TextSerializer(serializers.Serializer[Any]):
    """A text that need not be saved."""

    text = serializers.CharField(max_length=200_000, trim_whitespace=False)


class WishSerializer(serializers.Serializer[Any]):
    """What a run that a person asks for is about: a past alert, or labels."""

    alert = serializers.UUIDField(required=False)
    labels = serializers.DictField(child=serializers.CharField(max_length=2000), required=False)
    annotations = serializers.DictField(child=serializers.CharField(max_length=10_000), required=False)


class VoteSerializer(serializers.Serializer[Any]):
    """A yes or no. `plan_hash` is what the run showed: a vote for another plan does not count."""

    plan_hash = serializers.CharField(max_length=64)
    subject = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    comment = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class SettleSerializer(serializers.Serializer[Any]):
    """Whether the call of the uncertain step was accepted."""

    happened = serializers.BooleanField()


class HealingRunSerializer(serializers.ModelSerializer[HealingRun]):
    """Where a run is, and why."""

    class Meta:
        model = HealingRun
        fields = [
            "id",
            "playbook",
            "playbook_name",
            "dry",
            "cause",
            "started_by",
            "labels",
            "alert_id",
            "target",
            "state",
            "reason",
            "subject",
            "plan_hash",
            "needed",
            "granted",
            "expires_at",
            "cancelled_by",
            "caused_at",
            "created_at",
            "began_at",
            "first_action_at",
            "finished_at",
            "cost_per_hour",
        ]
        read_only_fields = fields


class HealingStorySerializer(HealingRunSerializer):
    """A run with its whole story."""

    story = serializers.SerializerMethodField()

    class Meta(HealingRunSerializer.Meta):
        fields = [*HealingRunSerializer.Meta.fields, "story"]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_story(self, run: HealingRun) -> dict[str, Any]:
        """What it saw, who approved, what each call sent and returned, how it was verified, what it cost."""
        return story_of(run)


class HealingPolicySerializer(serializers.ModelSerializer[HealingPolicy]):
    """What a tenant allows all of its playbooks."""

    class Meta:
        model = HealingPolicy
        fields = ["low", "medium", "high", "per_hour", "per_class_hour", "share", "concurrent"]


class AutomationSerializer(serializers.ModelSerializer[Automation]):
    """Something that the platform looks after; `terms` depend on its kind."""

    class Meta:
        model = Automation
        fields = [
            "id",
            "name",
            "kind",
            "terms",
            "enabled",
            "armed_by",
            "armed_at",
            "next_due_at",
            "tally",
            "fault",
            "created_at",
        ]
        read_only_fields = ["id", "armed_by", "armed_at", "next_due_at", "tally", "fault", "created_at"]


class ProposalSerializer(serializers.ModelSerializer[Proposal]):
    """What an automation would do, or did, and why."""

    class Meta:
        model = Proposal
        fields = [
            "id",
            "automation",
            "kind",
            "subject",
            "current",
            "proposed",
            "reason",
            "measured",
            "shadow",
            "state",
            "detail",
            "decided_by",
            "decided_at",
            "run",
            "created_at",
            "expires_at",
            "ended_at",
        ]
        read_only_fields = fields
