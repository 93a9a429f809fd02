"""One server: what is asked of it, what its answers become, what is refused."""

from __future__ import annotations

import math

import pytest

from rules.datasources.answers import DatasourceFailed
from rules.datasources.client import MAX_ANSWER_BYTES, Connection, DatasourceUnreachable, PrometheusClient
from tests.fakes.http_server import Reply, http_server
from tests.unit.notify.test_posting import make_poster

VECTOR = (
    b'{"status":"success","data":{"resultType":"vector","result":['
    b'{"metric":{"__name__":"up","job":"a"},"value":[12,"0.5"]},{"metric":{},"value":[12,"NaN"]}]}}'
)


def client_of(server, timeout_s=5.0, **poster):
    url = f"http://127.0.0.1:{server.server_port}/prometheus/"
    headers = {"Authorization": "Bearer t", "X-Scope-OrgID": "team"}
    return PrometheusClient(Connection("far", url, headers, timeout_s), make_poster(**poster))


@pytest.fixture
def server():
    with http_server() as server:
        yield server


def test_an_instant_query_is_a_form_with_the_tick_as_its_time(server):
    server.reply = Reply(200, body=VECTOR)

    answer = client_of(server).instant('up{job="a"} > 1', 12_000, within_s=9)

    assert answer.label_sets == [(("__name__", "up"), ("job", "a")), ()]
    assert answer.values[0] == 0.5
    assert math.isnan(answer.values[1])
    (arrived,) = server.arrived
    assert arrived.path == "/prometheus/api/v1/query"
    assert arrived.body == b"query=up%7Bjob%3D%22a%22%7D+%3E+1&time=12.000&timeout=5.000"
    assert (arrived.headers["X-Scope-OrgID"], arrived.headers["Authorization"]) == ("team", "Bearer t")


def test_a_scalar_is_one_element_without_labels(server):
    server.reply = Reply(200, body=b'{"status":"success","data":{"resultType":"scalar","result":[1,"+Inf"]}}')

    answer = client_of(server).instant("1", 0, within_s=9)

    assert (answer.label_sets, answer.values.tolist()) == ([()], [math.inf])


RESULT = b'{"status":"success","data":{"resultType":"vector","result":[%s]}}'


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(
            Reply(422, body=b'{"status":"error","errorType":"execution","error":"many-to-many"}'),
            "datasource 'far': execution: many-to-many",
            id="its own error",
        ),
        pytest.param(Reply(502, body=b"<html>"), "HTTP status 502", id="no JSON"),
        pytest.param(Reply(200, body=b"[]"), "none of Prometheus's", id="other JSON"),
        pytest.param(Reply(200, body=b"[" * 100_000), "none of Prometheus's", id="deep JSON"),
        pytest.param(
            Reply(200, body=RESULT.replace(b"vector", b"matrix") % b""), "none of Prom", id="a range"
        ),
        pytest.param(Reply(200, body=RESULT % b'{"metric":{},"value":[1,"x"]}'), "'x' where", id="no number"),
        pytest.param(
            Reply(200, body=RESULT % b'{"metric":{},"histogram":[1,{}]}'), "native histograms", id="histogram"
        ),
        pytest.param(
            Reply(200, body=RESULT % b'{"metric":{"a-b":"x"},"value":[1,"1"]}'),
            "label 'a-b'",
            id="label name",
        ),
        pytest.param(
            Reply(200, body=RESULT % b'{"metric":{"a":"\\u0000"},"value":[1,"1"]}'), "label 'a'", id="NUL"
        ),
        pytest.param(Reply(302, {"Location": "http://10.0.0.1/"}), "HTTP status 302", id="redirect"),
        pytest.param(Reply(200, endless=True), f"longer than {MAX_ANSWER_BYTES}", id="endless"),
    ],
)
def test_what_is_no_answer_is_refused_by_name(server, reply, says):
    server.reply = reply

    with pytest.raises(DatasourceFailed) as failure:
        client_of(server).instant("up", 0, within_s=9)

    assert says in str(failure.value)
    assert str(failure.value).startswith("datasource 'far': ")
    assert len(server.arrived) == 1


def test_silence_ends_with_the_time_that_is_left(server):
    server.reply = Reply(silent=True)

    with pytest.raises(DatasourceUnreachable, match=r"no whole answer within 0\.05 s"):
        client_of(server).instant("up", 0, within_s=0.05)


def test_private_addresses_are_refused_unless_allowed(server):
    with pytest.raises(DatasourceUnreachable, match="not public"):
        client_of(server, allow_private=False).instant("up", 0, within_s=9)
    assert not server.arrived
