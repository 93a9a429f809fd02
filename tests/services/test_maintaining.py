"""Jobs by the clock: windows with their silences, backups, drills and playbooks; a row of each is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_celery_beat.models import PeriodicTask

from alertsite.core.errors import InvalidParameter
from alertsite.tenancy.scope import platform_scope
from healing.models import Automation, HealingPolicy, HealingRun, Playbook, Proposal
from healing.services import automating, automations, maintaining
from rules.models import AlertInstance, Silence
from rules.services import backing
from rules.services.backing import BackupFailed, Manifest
from rules.services.operators import UnknownOperator
from tests.factories.automating import make_automation, move_on
from tests.factories.healing import ALICE, FAKE, Hand, make_account, make_playbook
from tests.factories.playbooks import playbook_of
from tests.factories.rows import make_tenant

NIGHTLY = {"crontab": "0 3 * * *", "timezone": "Europe/Berlin"}
WINDOW = NIGHTLY | {"silence": ['service="db"'], "duration": "30m"}
SILENT = {"job": "backup", **WINDOW}


@pytest.fixture
def acme(db, redis_url, settings, tmp_path):
    settings.CLOUD_ADAPTERS = [FAKE]
    settings.HOST_METRICS_TENANT = "acme"
    settings.BACKUP_DIR = str(tmp_path)
    with platform_scope():
        yield make_tenant("acme")


@pytest.fixture
def dumps(monkeypatch):
    """Backups that hold nothing and take no time; each call is noted."""
    made = []

    def back_up(directory, *, now):
        made.append(directory.name)
        directory.mkdir()
        manifest = Manifest(made_at=now, sha256="0" * 64, size=7, rows={"t": 3})
        (directory / backing.MANIFEST).write_text(manifest.model_dump_json())
        return manifest

    monkeypatch.setattr(maintaining, "back_up", back_up)
    monkeypatch.setattr(maintaining, "read_manifest", lambda place: Manifest.model_validate_json(
        (place / backing.MANIFEST).read_text()
    ))  # fmt: skip
    return made


def only(tenant):
    return Proposal.objects.for_tenant(tenant).get()


def strike(row, hand):
    assert automating.request(row.pk, now=hand.clock.now())
    return move_on(hand)


def test_the_clock_is_a_row_of_beat_with_its_zone(acme):
    row = make_automation(acme, "maintain", **WINDOW)

    beat = PeriodicTask.objects.get()
    assert (beat.task, beat.args) == (automations.REQUEST_MAINTENANCE, f'["{row.pk}"]')
    assert (beat.crontab.hour, str(beat.crontab.timezone)) == ("3", "Europe/Berlin")
    assert move_on(Hand.at()) == 0, "nothing is due before the clock strikes"
    automations.delete_automation(row, ALICE)
    assert not PeriodicTask.objects.exists()


def test_a_window_silences_for_its_time_and_playbooks_wait(acme):
    HealingPolicy.objects.create(tenant=acme, low="none", medium="none", high="none")
    make_account(acme)
    hand = Hand.at()

    strike(make_automation(acme, "maintain", **WINDOW), hand)

    silence = Silence.objects.for_tenant(acme).get()
    assert (silence.kind, silence.author) == ("maintenance", "alice")
    assert silence.ends_at - silence.starts_at == timedelta(minutes=30)
    assert (only(acme).state, only(acme).decided_by) == ("applied", "alice")
    restart = playbook_of("{action: restart_service, account: prod, with: {service: checkout}}")
    run = hand.start(make_playbook(acme, restart), service="db")
    hand.advance()
    run.refresh_from_db()
    assert run.state == "held"


def test_what_is_not_armed_only_says_what_it_would_do(acme, dumps):
    strike(make_automation(acme, "maintain", armed=False, **SILENT), Hand.at())

    assert (only(acme).shadow, only(acme).proposed, dumps) == (True, "backup", [])
    assert not Silence.objects.for_tenant(acme).exists()


def test_backups_are_kept_as_many_as_wanted(acme, dumps, tmp_path):
    row = make_automation(acme, "maintain", **SILENT, keep=2)
    hand = Hand.at()

    for _ in range(3):
        strike(row, hand)
        hand.clock.advance(hours=24)

    newest = Proposal.objects.for_tenant(acme).first()
    assert newest.detail == f"{dumps[2]}: 3 rows in 7 bytes"
    assert newest.measured["deleted"] == [dumps[0]]
    assert [
        found.name for found in maintaining._backups(maintaining.Path(maintaining.settings.BACKUP_DIR))
    ] == [
        dumps[2],
        dumps[1],
    ]


def test_a_worker_lost_after_the_backup_does_not_make_it_again(acme, dumps, monkeypatch):
    row = make_automation(acme, "maintain", **SILENT)
    hand = Hand.at()
    ended = maintaining._ended

    def lost(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(maintaining, "_ended", lost)
    with pytest.raises(KeyboardInterrupt):
        strike(row, hand)
    monkeypatch.setattr(maintaining, "_ended", ended)
    assert move_on(hand) == 0, "the claim holds"
    hand.clock.advance(seconds=601)
    move_on(hand)

    assert (only(acme).state, len(dumps)) == ("applied", 1)
    assert Silence.objects.for_tenant(acme).count() == 1


def test_a_job_that_never_ends_is_given_up_and_pages(acme, dumps, monkeypatch):
    row = make_automation(acme, "maintain", **SILENT)
    hand = Hand.at()
    monkeypatch.setattr(maintaining, "_do", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        strike(row, hand)
    monkeypatch.undo()
    hand.clock.advance(hours=2)
    Automation.objects.for_tenant(acme).update(armed_by="", armed_at=None)
    move_on(hand)

    states = sorted(Proposal.objects.for_tenant(acme).values_list("state", flat=True))
    assert states == ["failed", "proposed"]


def test_a_job_that_fails_pages_until_it_works_again(acme, dumps, monkeypatch):
    row = make_automation(acme, "maintain", **SILENT)
    hand, good = Hand.at(), maintaining.back_up

    def fails(*_, **__):
        raise BackupFailed("pg_dump ended with 1")

    monkeypatch.setattr(maintaining, "back_up", fails)
    strike(row, hand)
    paged = AlertInstance.objects.for_tenant(acme).filter(labels__alertname="MaintenanceFailed")
    assert (only(acme).state, only(acme).detail, paged.count()) == ("failed", "pg_dump ended with 1", 1)
    monkeypatch.setattr(maintaining, "back_up", good)
    hand.clock.advance(hours=24)
    strike(row, hand)

    assert not paged.exists()


def test_a_playbook_by_the_clock_is_an_ordinary_run(acme):
    HealingPolicy.objects.create(tenant=acme, low="none", medium="none", high="none")
    here = make_account(acme)
    text = playbook_of("{action: restart_service, account: prod, with: {service: checkout}}")
    make_playbook(acme, text)
    row = make_automation(acme, "maintain", **NIGHTLY, job="playbook", playbook="tried")
    hand = Hand.at()

    strike(row, hand)
    run = HealingRun.objects.for_tenant(acme).get()
    assert (only(acme).state, only(acme).run, run.cause) == ("approved", run, "schedule")
    hand.run_for(5)
    move_on(hand)

    assert (only(acme).state, len(here.effects)) == ("applied", 1)


def test_a_playbook_that_is_gone_when_the_clock_strikes_pages_at_once(acme):
    make_playbook(acme, playbook_of("{action: restart_service, account: prod, with: {service: checkout}}"))
    row = make_automation(acme, "maintain", **NIGHTLY, job="playbook", playbook="tried")
    Playbook.objects.for_tenant(acme).update(enabled=False)

    strike(row, Hand.at())

    assert (only(acme).state, "enabled playbook" in only(acme).detail) == ("failed", True)
    paged = AlertInstance.objects.for_tenant(acme).filter(labels__alertname="MaintenanceFailed")
    assert paged.count() == 1


def test_an_operator_that_is_not_there_is_named(acme, settings):
    settings.HOST_METRICS_TENANT = "nobody"
    with pytest.raises(UnknownOperator, match="HOST_METRICS_TENANT is 'nobody'"):
        make_automation(acme, "maintain", **SILENT)


def test_backups_are_the_operators_alone(acme):
    with pytest.raises(InvalidParameter, match="HOST_METRICS_TENANT"):
        make_automation(make_tenant("other"), "maintain", **SILENT)


@pytest.mark.skipif(not backing.has_programs(), reason="no pg_dump and pg_restore here")
def test_a_drill_restores_the_newest_backup_and_keeps_what_it_found(
    transactional_db, redis_url, settings, tmp_path
):
    settings.HOST_METRICS_TENANT, settings.BACKUP_DIR = "acme", str(tmp_path)
    hand = Hand.at()
    with platform_scope():
        acme = make_tenant("acme")
        for job in ("backup", "restore_drill"):
            strike(make_automation(acme, "maintain", name=job, **NIGHTLY, job=job), hand)
            hand.clock.advance(seconds=60)
        drilled = Proposal.objects.for_tenant(acme).first()

    assert (drilled.proposed, drilled.state) == ("restore_drill", "applied"), drilled.detail
    checks = {finding["check"] for finding in drilled.measured["findings"]}
    assert "every tick has an outcome for each of its rules" in checks
    assert "checks passed" in drilled.detail
