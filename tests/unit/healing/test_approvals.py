"""Who may say yes, when it is enough, and how much may be touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.vocabulary import VOCABULARY, Risk
from healing.approvals.blast_radius import (
    LimitReason,
    Limits,
    Reach,
    Reserved,
    Starting,
    StartLimits,
    StartReason,
    admit,
    may_start,
)
from healing.approvals.policy import DEFAULT, people_needed, people_needed_for
from healing.approvals.quorum import QuorumReason, Request, Vote, VoteReason, judge, plan_hash, quorum

REQUEST = Request("run", "", "hash", 2, expires_ms=1000, authors=frozenset({"alice"}), starter="bob")


def vote(person="carol", **values):
    return Vote(
        **{"run": "run", "subject": "", "plan_hash": "hash", "person": person, "approves": True, "at_ms": 10}
        | values
    )


@pytest.mark.parametrize(
    ("given_vote", "request_", "earlier", "expected"),
    [
        pytest.param(vote(), REQUEST, [], VoteReason.COUNTED, id="somebody else"),
        pytest.param(vote("alice"), REQUEST, [], VoteReason.AUTHOR, id="the author"),
        pytest.param(vote("bob"), REQUEST, [], VoteReason.STARTER, id="who started it"),
        pytest.param(
            vote("alice", approves=False), REQUEST, [], VoteReason.COUNTED, id="the author may say no"
        ),
        pytest.param(vote(), REQUEST, [vote(at_ms=5)], VoteReason.TWICE, id="twice"),
        pytest.param(vote(at_ms=1000), REQUEST, [], VoteReason.EXPIRED, id="at the very end"),
        pytest.param(vote(at_ms=999), REQUEST, [], VoteReason.COUNTED, id="just in time"),
        pytest.param(vote(plan_hash="other"), REQUEST, [], VoteReason.OTHER_PLAN, id="another plan"),
        pytest.param(vote(run="other"), REQUEST, [], VoteReason.NOT_WAITING, id="another run"),
        pytest.param(vote(subject="2"), REQUEST, [], VoteReason.NOT_WAITING, id="another subject"),
        pytest.param(vote(), None, [], VoteReason.NOT_WAITING, id="nothing waits"),
        pytest.param(vote(is_person=False), REQUEST, [], VoteReason.NOT_A_PERSON, id="a machine"),
    ],
)
def test_a_vote(given_vote, request_, earlier, expected):
    assert judge(given_vote, request_, earlier) is expected


@pytest.mark.parametrize(
    ("votes", "now_ms", "expected"),
    [
        pytest.param([], 0, QuorumReason.WAITING, id="nobody yet"),
        pytest.param([], 1000, QuorumReason.EXPIRED, id="nobody in time"),
        pytest.param([vote()], 20, QuorumReason.WAITING, id="one of two"),
        pytest.param([vote(), vote("dave")], 20, QuorumReason.APPROVED, id="two"),
        pytest.param([vote(), vote("dave")], 2000, QuorumReason.APPROVED, id="in time, looked at late"),
        pytest.param([vote(), vote(at_ms=11)], 20, QuorumReason.WAITING, id="one person twice"),
        pytest.param([vote(), vote("alice")], 20, QuorumReason.WAITING, id="the author does not count"),
        pytest.param([vote(), vote("dave", approves=False)], 20, QuorumReason.REJECTED, id="one no"),
        pytest.param([vote(), vote("dave", spent=True)], 20, QuorumReason.WAITING, id="a spent one"),
        pytest.param([vote(), vote("dave", plan_hash="old")], 20, QuorumReason.WAITING, id="of another plan"),
        pytest.param(
            [vote(), vote("dave", at_ms=1500)], 2000, QuorumReason.EXPIRED, id="the second too late"
        ),
    ],
)
def test_quorum(votes, now_ms, expected):
    assert quorum(REQUEST, votes, now_ms=now_ms) is expected


@given(
    st.lists(
        st.builds(
            vote,
            st.sampled_from(["alice", "bob", "carol", "dave"]),
            approves=st.booleans(),
            at_ms=st.integers(0, 2000),
            plan_hash=st.sampled_from(["hash", "old"]),
            run=st.sampled_from(["run", "other"]),
            is_person=st.booleans(),
            spent=st.booleans(),
        ),
        max_size=6,
    ),
    st.integers(0, 2),
)
def test_approved_means_enough_distinct_people_who_may(votes, needed):
    approved = quorum(replace(REQUEST, needed=needed), votes, now_ms=500) is QuorumReason.APPROVED

    people = {
        one.person
        for one in votes
        if one.approves
        and one.is_person
        and not one.spent
        and one.at_ms < 1000
        and (one.run, one.plan_hash) == ("run", "hash")
        and one.person in {"carol", "dave"}
    }
    assert not approved or len(people) >= needed


def test_a_changed_plan_has_another_hash():
    assert plan_hash("a", {"x": 1}) == plan_hash("a", {"x": 1}) != plan_hash("a", {"x": 2})


@pytest.mark.parametrize(
    ("risk", "own", "expected"),
    [
        pytest.param(Risk.LOW, {}, 0, id="low needs nobody"),
        pytest.param(Risk.LOW, {"low": "one"}, 1, id="the playbook asks for more"),
        pytest.param(Risk.HIGH, {"high": "none"}, 2, id="the playbook cannot ask for less"),
        pytest.param(Risk.MEDIUM, {}, 1, id="medium needs one"),
    ],
)
def test_people_needed(risk, own, expected):
    assert people_needed(risk, own, DEFAULT) == expected


def test_a_plan_needs_what_its_riskiest_word_needs():
    words = [VOCABULARY["delete_pod"], VOCABULARY["restart_database"]]

    assert people_needed_for(words, DEFAULT) == 2
    assert people_needed_for([], DEFAULT) == 0


LIMITS = Limits(per_run=3, per_hour=5, tenant_hour=10, class_hour=8, share=0.25)


def reach(*names, group_size=None):
    return Reach(frozenset(names), group_size)


@pytest.mark.parametrize(
    ("asked", "before", "expected"),
    [
        pytest.param(reach("a"), Reserved(), LimitReason.WITHIN, id="the first"),
        pytest.param(reach("a"), Reserved(by_run=2), LimitReason.WITHIN, id="the last of a run"),
        pytest.param(reach("a", "b"), Reserved(by_run=2), LimitReason.PER_RUN, id="one too many in a run"),
        pytest.param(
            reach(), Reserved(by_run=3), LimitReason.PER_RUN, id="nothing in particular counts as one"
        ),
        pytest.param(reach("a"), Reserved(by_playbook=5), LimitReason.PER_HOUR, id="the playbook's hour"),
        pytest.param(reach("a"), Reserved(by_tenant=10), LimitReason.TENANT_HOUR, id="the tenant's hour"),
        pytest.param(reach("a"), Reserved(of_class=8), LimitReason.CLASS_HOUR, id="the class's hour"),
        pytest.param(reach("a", group_size=2), Reserved(), LimitReason.WITHIN, id="one of a small group"),
        pytest.param(reach("a", "b", group_size=4), Reserved(), LimitReason.SHARE, id="half of a group"),
        pytest.param(
            reach("b", group_size=4),
            Reserved(of_group=frozenset("a")),
            LimitReason.SHARE,
            id="a second of four",
        ),
        pytest.param(
            reach("a", group_size=4),
            Reserved(of_group=frozenset("a")),
            LimitReason.WITHIN,
            id="the same again",
        ),
    ],
)
def test_blast_radius(asked, before, expected):
    assert admit(asked, before, LIMITS) is expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(Starting(), StartReason.FREE, id="nothing in the way"),
        pytest.param(Starting(breaker_open=True), StartReason.BREAKER_OPEN, id="the breaker is open"),
        pytest.param(Starting(since_last_ms=999), StartReason.COOL_DOWN, id="too soon"),
        pytest.param(Starting(since_last_ms=1000), StartReason.FREE, id="cooled down"),
        pytest.param(Starting(running=2), StartReason.CONCURRENT, id="enough of this playbook"),
        pytest.param(
            Starting(running_of_tenant=3), StartReason.TENANT_CONCURRENT, id="enough of this tenant"
        ),
    ],
)
def test_may_start(state, expected):
    assert may_start(state, StartLimits(1000, 2, 3)) is expected
