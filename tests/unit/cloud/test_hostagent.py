"""The agent restarts what stands in its list, once a key, for its token alone."""

from __future__ import annotations

import sys
import threading

import httpx
import pytest

from cloud.hostagent.agent import Agent, ServiceState
from cloud.hostagent.server import AgentServer
from cloud.hostagent.supervisors import SUPERVISORS, run

TOKEN = "a-token-that-is-long-enough"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Counting:
    def __init__(self):
        self.runs = 1
        self.broken = False

    def state(self, service):
        return ServiceState(True, str(self.runs))

    def restart(self, service):
        if self.broken:
            raise OSError("systemctl failed with 1: no")
        self.runs += 1


@pytest.fixture
def supervisor():
    return Counting()


@pytest.fixture
def agent(supervisor):
    return Agent(supervisor, ["nginx"], TOKEN)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "/v1/services", {}, 401, id="no token"),
        pytest.param("GET", "/v1/services", {"authorization": "Bearer x"}, 401, id="wrong token"),
        pytest.param("GET", "/v1/services/nginx", {"authorization": "Bearer é"}, 401, id="no ASCII"),
        pytest.param("POST", "/v1/services/sshd/restart", BEARER, 404, id="not in the list"),
        pytest.param("POST", "/v1/services/nginx;reboot/restart", BEARER, 404, id="a command"),
        pytest.param("POST", "/v1/services/../nginx/restart", BEARER, 404, id="another path"),
        pytest.param("GET", "/v1/services/nginx/restart", BEARER, 405, id="a GET restarts nothing"),
        pytest.param("POST", "/v1/services/nginx", BEARER, 405, id="nothing to post"),
        pytest.param("GET", "/v1/services/nginx", BEARER, 200, id="its state"),
    ],
)
def test_what_is_not_allowed_restarts_nothing(agent, supervisor, method, path, headers, status):
    assert agent.answer(method, path, headers)[0] == status
    assert supervisor.runs == 1


def test_restarts_once_for_a_key(agent, supervisor):
    for key, runs in (("a", 2), ("a", 2), ("b", 3), ("", 4), ("", 5)):
        status, body = agent.answer("POST", "/v1/services/nginx/restart", BEARER | {"idempotency-key": key})
        assert (status, body["since"]) == (202, str(runs))


def test_failed_restart_may_be_asked_for_again(agent, supervisor):
    supervisor.broken = True
    asked = BEARER | {"idempotency-key": "a"}
    assert agent.answer("POST", "/v1/services/nginx/restart", asked)[0] == 500
    supervisor.broken = False
    assert agent.answer("POST", "/v1/services/nginx/restart", asked)[0] == 202
    assert supervisor.runs == 2


@pytest.mark.parametrize(
    ("name", "said", "state", "restarts"),
    [
        pytest.param(
            "systemd",
            "ActiveState=active\nInvocationID=abc\n",
            ServiceState(True, "abc"),
            ["systemctl", "restart", "--", "nginx"],
            id="systemd",
        ),
        pytest.param(
            "systemd",
            "ActiveState=failed\nInvocationID=\n",
            ServiceState(False, ""),
            ["systemctl", "restart", "--", "nginx"],
            id="systemd failed",
        ),
        pytest.param(
            "runit",
            "run: nginx: (pid 4711) 12s\n",
            ServiceState(True, "4711"),
            ["sv", "restart", "nginx"],
            id="runit",
        ),
        pytest.param(
            "runit",
            "down: nginx: 3s, normally up\n",
            ServiceState(False, ""),
            ["sv", "restart", "nginx"],
            id="runit down",
        ),
    ],
)
def test_supervisors_are_asked_by_their_own_programs(name, said, state, restarts):
    asked = []

    def program(arguments):
        asked.append(list(arguments))
        return said

    supervisor = SUPERVISORS[name](program)
    assert supervisor.state("nginx") == state
    supervisor.restart("nginx")
    assert asked[-1] == restarts


def test_a_program_that_fails_says_so():
    assert run([sys.executable, "-c", "print('well')"]) == "well\n"
    with pytest.raises(OSError, match="failed with 3: no"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('no'); sys.exit(3)"])


def test_server_hands_requests_to_the_agent(agent):
    with AgentServer(agent, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/v1/services"
        try:
            assert httpx.get(url).status_code == 401
            found = httpx.get(url, headers=BEARER).json()
        finally:
            server.shutdown()
            thread.join()
    assert found == {"services": [{"name": "nginx", "active": True, "since": "1"}]}
