"""Who is told: people, teams and on-call schedules."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from rules.models.delivery import Receiver


class Person(TenantModel):
    """Somebody who is told, and by which receivers. A user of the platform, or only a name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    user = models.ForeignKey(
        "tenancy.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    receivers = models.ManyToManyField(Receiver, blank=True, related_name="people")
    language = models.CharField(max_length=2, choices=[("en", "English"), ("fr", "French")], default="en")

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="person_name_once")]

    def __str__(self) -> str:
        return self.name


class Team(TenantModel):
    """People who are told together."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    members = models.ManyToManyField(Person, blank=True, related_name="teams")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="team_name_once")]

    def __str__(self) -> str:
        return self.name


class OnCallSchedule(TenantModel):
    """Who is on call when: layers of rotations, later layers over earlier ones."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    timezone = models.CharField(max_length=60, default="UTC")
    layers = models.JSONField(
        default=list,
        blank=True,
        help_text="Rotations: members, length, hand-over, hours. See docs/notifications.md.",
    )
    ical = models.TextField(blank=True, help_text="A calendar to be followed instead of layers.")
    calendar_generation = models.PositiveIntegerField(
        default=1,
        editable=False,
        help_text="Part of the calendar's address: counting up makes the old one void.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="schedule_name_once")]

    def __str__(self) -> str:
        return self.name


class OnCallOverride(TenantModel):
    """Somebody takes a shift in everyone's place."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    schedule = models.ForeignKey(OnCallSchedule, on_delete=models.CASCADE, related_name="overrides")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="overrides")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    author = models.CharField(max_length=200)

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")), name="override_ends_after_it_starts"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} from {self.starts_at} to {self.ends_at}"
