"""Questions of ticks and of back-tests: the same answers, in a bounded time."""

from __future__ import annotations

import itertools

import pytest

from rules.datasources.client import Connection, PrometheusClient
from rules.datasources.live import Allowance, LiveQueries
from rules.datasources.ranged import MAX_STEPS, RangedQueries
from rules.evaluation.remote import Answer, NoDatasource, Question
from rules.language.engine import EvaluationLimits
from rules.language.errors import QueryTimeout, QueryTooExpensive
from tests.fakes.http_server import Reply, http_server
from tests.fakes.prometheus import prometheus_server
from tests.unit.language.store import store_of
from tests.unit.notify.test_posting import make_poster

MINUTE = 60_000
LOAD = {'up{job="a"}': "1 0 _ 1 0 0 stale 1 0", 'up{job="b"}': "0 1 1 0 _ _ _ _ _ 0", "load": "1+3x9"}


def client(server, timeout_s=5.0):
    connection = Connection("far", f"http://127.0.0.1:{server.server_port}", {}, timeout_s)
    return PrometheusClient(connection, make_poster())


def live(clients, budget_s=5.0):
    return LiveQueries(clients, Allowance(budget_s, make_poster().monotonic))


def shown(answer):
    assert isinstance(answer, Answer), answer
    return sorted(zip(answer.label_sets, map(repr, answer.values.tolist()), strict=True))


@pytest.mark.parametrize(
    "expr",
    [
        "up == 0",
        "sum(rate(load[3m]))",
        "time() % 120",
        "up offset 1m",
        "load @ end()",
        "rate(load[2m:] @ start())",
    ],
)
def test_back_tests_get_what_live_ticks_got(expr):
    ticks = range(0, 10 * MINUTE, MINUTE)
    with prometheus_server(store_of(LOAD)) as server:
        clients = {"far": client(server)}
        ranged = RangedQueries(clients, ticks, EvaluationLimits())
        for at_ms, offset_ms in itertools.product(ticks, [0, 2 * MINUTE]):
            question = Question("far", expr, at_ms - offset_ms)
            assert shown(ranged.ask([question])[0]) == shown(live(clients).ask([question])[0]), at_ms


def test_a_range_is_one_request_for_thousands_of_ticks():
    ticks = range(0, (MAX_STEPS + 1) * 1000, 1000)
    with prometheus_server(store_of(LOAD)) as server:
        ranged = RangedQueries({"far": client(server)}, ticks, EvaluationLimits())
        for at_ms in ticks:
            ranged.ask([Question("far", "up == 0", at_ms)])
        assert len(server.arrived) == 2


def test_a_back_test_is_bounded_in_samples_and_time():
    ticks = range(0, 10 * MINUTE, MINUTE)
    question = Question("far", "up", 0)
    with prometheus_server(store_of(LOAD)) as server:
        clients = {"far": client(server)}
        with pytest.raises(QueryTooExpensive):
            RangedQueries(clients, ticks, EvaluationLimits(max_samples=3)).ask([question])
        with pytest.raises(QueryTimeout):
            RangedQueries(clients, ticks, EvaluationLimits(out_of_time=lambda: True)).ask([question])


def test_failures_stay_with_their_datasource_and_keep_the_order():
    gone = NoDatasource("datasource 'off' is disabled")
    with prometheus_server(store_of(LOAD)) as server, http_server() as broken:
        broken.reply = Reply(500)
        clients = {"far": client(server), "broken": client(broken), "off": gone}
        asked = [Question(name, "load", MINUTE) for name in ("broken", "far", "off", "unknown")]
        for queries in (
            live(clients),
            RangedQueries(clients, range(0, MINUTE + 1, MINUTE), EvaluationLimits()),
        ):
            found = queries.ask(asked)
            assert "HTTP status 500" in str(found[0])
            assert shown(found[1]) == [((("__name__", "load"),), "4.0")]
            assert found[2] is gone
            assert "'unknown' is gone" in str(found[3])


def test_a_silent_datasource_is_tried_no_more_in_the_pass_and_delays_no_other():
    with prometheus_server(store_of(LOAD)) as server, http_server() as silent:
        silent.reply = Reply(silent=True)
        queries = live({"far": client(server), "silent": client(silent, timeout_s=0.05)})
        questions = [Question("silent", f"load + {number}", 0) for number in range(20)]
        found = queries.ask([*questions, Question("far", "load", 0)])
        again = queries.ask(questions)

    assert shown(found[-1]) == [((("__name__", "load"),), "1.0")]
    assert not any(isinstance(answer, Answer) for answer in found[:-1])
    assert all("did not answer earlier in this pass" in str(answer) for answer in again)
    assert len(silent.arrived) <= 4


def test_without_time_left_nothing_is_asked():
    with prometheus_server(store_of(LOAD)) as server:
        (found,) = live({"far": client(server)}, budget_s=0).ask([Question("far", "load", 0)])

    assert not isinstance(found, Answer)
    assert not server.arrived
