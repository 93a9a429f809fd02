"""Whatever people, providers and workers do, in whatever order: no action without the approvals that it
needs, none outside its limits, none twice.

Playbooks of every risk run against a provider that fails, while people vote rightly and wrongly, workers
are lost between any two commits, runs are cancelled and settled, and the clock moves.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alertsite.audit.services import Author, first_break
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope
from cloud.adapters.errors import ActionRefused, AnswerLost, CredentialsRefused, ResourceGone, Throttled
from cloud.adapters.vocabulary import VOCABULARY
from healing.approvals.policy import NEEDS
from healing.models import Approval, HealingPolicy, HealingRun, HealingStep, Playbook
from healing.services import advancing, approving, claiming, handling, playbooks
from healing.services.means import Means
from healing.services.starting import Wish, start_by_hand
from tests.factories.healing import ALICE, FAKE, make_account, make_playbook
from tests.factories.playbooks import playbook_of
from tests.factories.rows import NOON, make_tenant
from tests.fakes.clock import FakeClock

PER_HOUR, PER_RUN = 4, 2
HEAD = f"""trigger: {{manual: true}}
limits: {{per_hour: {PER_HOUR}, per_run: {PER_RUN}, cool_down: 0s, concurrent: 3, wait: 20m}}
breaker: {{failures: 100}}
approval: {{expires: 10m}}"""
NO = "{check: 'vector(1) > 2'}"
TEXTS = [
    playbook_of("{action: restart_service, account: prod, with: {service: a}}", head=HEAD),
    playbook_of("{action: start_instance, account: prod, with: {instance: a}}", NO, head=HEAD),
    playbook_of("{action: restart_database, account: prod, with: {database: a}}", head=HEAD),
    playbook_of(
        "{parallel: [[{action: restart_instance, account: prod, with: {instance: a}}],"
        " [{action: delete_pod, account: prod, with: {pod: b}}]]}",
        "{approve: one}",
        "{action: scale_service, account: prod, with: {service: b, size: 9}}",
        head=HEAD,
    ),
]
RARELY = st.sampled_from([False, False, False, True])
PEOPLE = ["alice", "bob", "carol", "dave"]


class WorkerLost(BaseException):
    """The worker is gone."""


FAULTS = [
    WorkerLost(),
    AnswerLost("cut"),
    Throttled("slow down"),
    CredentialsRefused("expired"),
    ResourceGone("gone"),
    ActionRefused("no"),
]


class CuttingClock(FakeClock):
    """A clock whose reading may be the last thing that a worker does."""

    cut_after: int | None = None

    def now_ms(self) -> int:
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                self.cut_after = None
                raise WorkerLost
        return super().now_ms()


class HealingMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.scope = platform_scope()
        self.scope.__enter__()
        self.savepoint = transaction.savepoint()
        self.clock = CuttingClock(NOON)
        self.means = Means(self.clock, Random(1))
        self.tenant = make_tenant()
        self.made: list[UUID] = []
        self.world = make_account(self.tenant, a=1, b=1)

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            transaction.savepoint_rollback(self.savepoint)
            self.scope.__exit__(None, None, None)

    def finish(self) -> None:
        """Whatever was begun is ended, while everybody says yes."""
        self.clock.cut_after = None
        if hasattr(self, "needs"):
            for seconds in (1, 95, 5):
                self.advance(seconds, None, 0, PEOPLE)
        self.check()
        assert first_break(self.tenant.pk) is None

    @initialize(
        low=st.sampled_from(["none", "one"]),
        medium=st.sampled_from(["one", "four-eyes"]),
        high=st.sampled_from(["one", "four-eyes"]),
        text=st.permutations(TEXTS),
        first=st.none() | st.sampled_from(FAULTS),
    )
    def begin(self, low: str, medium: str, high: str, text: list[str], first: BaseException | None) -> None:
        if first is not None:
            self.fault("act", first, after=True)
        policy = {"low": low, "medium": medium, "high": high}
        self.needs = {risk: NEEDS[need] for risk, need in policy.items()}
        HealingPolicy.objects.create(tenant=self.tenant, **policy)
        self.playbooks = [
            make_playbook(self.tenant, one.replace("tried", f"p{number}"))
            for number, one in enumerate(text[:2])
        ]
        for which, by in ((0, "zoe"), (1, "bob")):
            self.start(which, by, dry=False)

    @property
    def runs(self) -> list[HealingRun]:
        rows = HealingRun.objects.for_tenant(self.tenant).in_bulk(self.made)
        return [rows[pk] for pk in self.made]

    @rule(which=st.integers(0, 1), by=st.sampled_from(PEOPLE), dry=RARELY)
    def start(self, which: int, by: str, dry: bool) -> None:
        playbook = Playbook.objects.for_tenant(self.tenant).get(pk=self.playbooks[which].pk)
        try:
            wish = Wish(dry=dry)
            run = start_by_hand(playbook, wish, Author(by, self.clock.now()), is_person=True)
            self.made.append(run.pk)
        except PlatformError:
            assert not playbook.armed

    @rule(
        which=st.integers(0, 9),
        who=st.sampled_from(PEOPLE),
        approves=st.sampled_from([True, True, True, False]),
        plan=st.sampled_from(["shown", "shown", "shown", "other"]),
        person=st.sampled_from([True, True, False]),
    )
    def vote(self, which: int, who: str, approves: bool, plan: str, person: bool) -> None:
        runs = self.runs
        if not runs:
            return
        run = runs[which % len(runs)]
        shown = run.plan_hash if plan == "shown" else runs[(which + 1) % len(runs)].plan_hash + "x"
        said = approving.Said(approves, "", run.subject, shown)
        with suppress(approving.VoteRefused):
            approving.vote(self.tenant.pk, run.pk, said, Author(who, self.clock.now()), is_person=person)

    @rule(
        seconds=st.sampled_from([1, 1, 5, 5, 30, 95, 700]),
        cut=st.none() | st.integers(0, 30),
        agree=st.integers(0, 9) | st.none(),
        who=st.permutations(PEOPLE),
    )
    def advance(self, seconds: int, cut: int | None, agree: int | None, who: list[str]) -> None:
        """Workers move on what is due, again and again, while somebody may say yes; one of them may be
        lost.
        """
        for turn in range(4):
            claims = claiming.claim_due_runs(now=self.clock.now())
            self.clock.cut_after = cut if turn == 1 else None
            self._advance(claims)
            self.clock.cut_after = None
            self.clock.advance(seconds=seconds)
            if agree is not None:
                self.vote(agree + turn, who[turn], approves=True, plan="shown", person=True)

    def _advance(self, claims: list[claiming.RunClaim]) -> None:
        for claim in claims:
            try:
                advancing.advance_claims([claim], self.means)
            except WorkerLost:
                self.clock.cut_after = None

    @rule(seconds=st.sampled_from([1, 5, 30, 95, 700, 3700]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @rule(
        phase=st.sampled_from(["look", "act", "act", "happened", "progress"]), error=st.sampled_from(FAULTS),
        after=st.booleans(),
    )  # fmt: skip
    def fault(self, phase: str, error: BaseException, after: bool) -> None:
        self.world.fail(phase, error, after=after and phase == "act" and not getattr(error, "certain", False))

    @rule(which=st.integers(0, 9), really=RARELY)
    def cancel(self, which: int, really: bool) -> None:
        if not really:
            return
        self._handle(which, lambda run, author: handling.cancel(self.tenant.pk, run.pk, author))

    @rule(which=st.integers(0, 9))
    def settle(self, which: int) -> None:
        self._handle(which, self._tell_the_truth)

    def _tell_the_truth(self, run: HealingRun, author: Author) -> None:
        keys = {effect.key for effect in self.world.effects}
        step = HealingStep.objects.for_tenant(self.tenant).filter(run=run, state="uncertain").first()
        happened = step is not None and step.call_key in keys
        handling.settle(self.tenant.pk, run.pk, author, happened=happened, is_person=True)

    def _handle(self, which: int, handle) -> None:
        runs = self.runs
        if runs:
            with suppress(PlatformError):
                handle(runs[which % len(runs)], Author("erin", self.clock.now()))

    @precondition(lambda self: len(self.runs) > 0)
    @rule(which=st.integers(0, 1), arm=st.booleans(), really=RARELY)
    def save_anew(self, which: int, arm: bool, really: bool) -> None:
        if not really:
            return
        playbook = Playbook.objects.for_tenant(self.tenant).get(pk=self.playbooks[which].pk)
        text = playbook.version.text
        changed = text.replace("wait: 20m", "wait: 21m") if "20m" in text else text.replace("21m", "20m")
        saved = playbooks.save_playbook(playbook, playbooks.Draft(changed), Author("bob", self.clock.now()))
        if arm:
            playbooks.arm(saved, ALICE, is_person=True)

    @invariant()
    def check(self) -> None:
        if not hasattr(self, "needs"):
            return
        steps = {
            step.call_key: step
            for step in HealingStep.objects.for_tenant(self.tenant)
            .exclude(call_key="")
            .select_related("run__version")
        }
        keys = [effect.key for effect in self.world.effects]
        assert len(keys) == len(set(keys)), "an action was taken twice"
        for effect in self.world.effects:
            step = steps[effect.key]
            assert not step.run.dry
            assert len(self.who_said_yes(step)) >= self.needed(step), (effect, step.run.reason)
        self.check_limits([steps[key] for key in keys])

    def needed(self, step: HealingStep) -> int:
        return self.needs[VOCABULARY[step.word].risk]

    def who_said_yes(self, step: HealingStep) -> set[str]:
        """People who may, and did, for the plan of this run or this very step, in time and spent."""
        run = step.run
        votes = Approval.objects.for_tenant(self.tenant).filter(
            run=run, approves=True, spent_at__isnull=False, subject__in=["", step.key]
        )
        return {
            one.person for one in votes
            if one.person not in {run.version.author, run.started_by} and one.person in PEOPLE
        }  # fmt: skip

    def check_limits(self, steps: list[HealingStep]) -> None:
        planned = [step for step in steps if not step.key.startswith("undo:")]
        for step in planned:
            hour = [
                other
                for other in planned
                if other.run.playbook_id == step.run.playbook_id
                and timedelta() <= step.reserved_at - other.reserved_at < timedelta(hours=1)
            ]
            assert len(hour) <= PER_HOUR, "more than an hour may hold"
            assert sum(other.run_id == step.run_id for other in planned) <= PER_RUN


@pytest.fixture
def fake_provider(db, redis_url, settings):
    settings.CLOUD_ADAPTERS = [FAKE]


def explore(examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        HealingMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks
        ),
    )


def test_whatever_happens_nothing_is_done_that_may_not(fake_provider):
    explore(examples=8, steps=12)


@pytest.mark.slow
def test_whatever_happens_for_long(fake_provider):
    explore(examples=300, steps=60)
