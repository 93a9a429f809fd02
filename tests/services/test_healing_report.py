"""The end of the story: an alert, an approval, a repair, the alert over, and the digest that tells of it."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from alertsite.audit.services import Author
from alertsite.tenancy.scope import platform_scope
from healing.models import HealingPolicy, HealingRun
from healing.services import approving, starting
from rules.models import ReportSchedule
from rules.notify.receivers.email.receiver import SmtpServer
from rules.reports.words import say
from rules.services import reporting, reportschedules
from rules.services.reporting import carry_out, claim_due_reports
from rules.services.reportschedules import Timing
from tests.factories.healing import FAKE, Hand, fire, make_account, make_playbook
from tests.factories.playbooks import RESTART, playbook_of
from tests.factories.rows import NOON, make_tenant

NOWHERE = SmtpServer("127.0.0.1", 9, "alertsite@example.org", timeout_s=1.0)


@pytest.fixture
def acme(db, redis_url, settings):
    settings.CLOUD_ADAPTERS = [FAKE]
    with platform_scope():
        yield make_tenant("acme")


def digest(tenant, clock, language="en"):
    """The report of the day, as a worker makes it."""
    row = ReportSchedule(
        tenant=tenant, name=f"Daily {language}", kind="operations_daily", recipients=[], language=language
    )
    saved = reportschedules.save_schedule(row, Timing("0 6 * * *", "UTC"), Author("alice", clock.now()))
    report = reporting.request_scheduled(saved.pk, now=clock.now())
    for claim in claim_due_reports(now=clock.now()):
        carry_out(claim, clock, server=NOWHERE, random=Random(1))
    report.refresh_from_db()
    return report


def test_the_digest_tells_what_ran_who_approved_it_and_how_it_ended(acme):
    HealingPolicy.objects.create(tenant=acme, low="one", medium="one", high="four-eyes")
    make_account(acme)
    make_playbook(acme, RESTART)
    hand = Hand.at(NOON)
    alert = fire(acme)
    starting.start_from_cues(now=NOON)
    hand.advance()
    run = HealingRun.objects.for_tenant(acme).get()
    said = approving.Said(True, "", run.subject, run.plan_hash)
    hand.clock.advance(seconds=30)
    approving.vote(acme.pk, run.pk, said, Author("bob", hand.clock.now()), is_person=True)
    hand.run_for(5)
    alert.delete()
    hand.run_for(80)
    refused = hand.start(make_playbook(acme, playbook_of(
        "{action: restart_database, account: prod, with: {database: checkout}}"
    )))  # fmt: skip
    hand.start(make_playbook(acme, playbook_of("{wait: 1s}").replace("tried", "dry")), dry=True)
    hand.advance()
    refused.refresh_from_db()
    no = approving.Said(False, "", refused.subject, refused.plan_hash)
    approving.vote(acme.pk, refused.pk, no, Author("carol", hand.clock.now()), is_person=True)
    hand.run_for(3)
    run.refresh_from_db()
    assert run.state == "succeeded"
    hand.clock.advance(hours=24)

    report = digest(acme, hand.clock)

    took_s = (run.finished_at - NOON).total_seconds()
    told = report.facts["now"]
    assert (told["repairs_begun"], told["repaired"]) == (2, 1)
    assert told["repairs"] == [
        {
            "playbook": "tried", "did": "", "state": "rejected", "approved_by": [],
            "at": refused.caused_at.isoformat(), "seconds": None,
        },
        {
            "playbook": "restart a wedged service", "did": "restart_service checkout", "state": "succeeded",
            "approved_by": ["bob"], "at": NOON.isoformat(), "seconds": took_s,
        },
    ]  # fmt: skip
    for words in ("Repairs by playbook", "restart_service checkout", "bob", "rejected", "1 of 2"):
        assert words in report.html, words
    assert bytes(report.pdf).startswith(b"%PDF")
    assert "Réparations par procédure" in digest(acme, hand.clock, "fr").html


def test_a_tenant_without_playbooks_reads_nothing_of_them(acme):
    hand = Hand.at(NOON + timedelta(days=1))

    report = digest(acme, hand.clock)

    assert report.facts["now"]["repairs_begun"] == 0
    assert "Repairs" not in report.html


@pytest.mark.parametrize("state", sorted(set(HealingRun.State.values) - {"rehearsed"}))
def test_every_state_of_a_run_has_words(state):
    assert say(f"run.{state}", "en") != say(f"run.{state}", "fr")
