"""Cloud accounts over REST and opened by name."""

from __future__ import annotations

import pytest

from alertsite.audit.models import AuditEvent
from alertsite.tenancy.scope import tenant_scope
from cloud.adapters.registry import UnknownProvider
from cloud.models import CloudAccount
from cloud.services import providers
from cloud.services.accounts import AccountDisabled, UnknownAccount, open_account
from tests.factories.rows import make_tenant
from tests.fakes.http_server import Arrived, Reply, http_server

BODY = {
    "name": "deployer",
    "provider": "http",
    "settings": {"base": "https://deploy.example.org", "allow": ["POST /restart/*"]},
}
SECRET = {"headers": {"Authorization": "Bearer hunter2"}}


def make(client, **values):
    answer = client.post("/api/cloud-accounts/", BODY | values, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_credentials_are_written_and_never_read(alice, acme):
    made = make(alice, credentials=SECRET)

    assert "credentials" not in made
    assert "hunter2" not in alice.get("/api/cloud-accounts/").content.decode()
    assert CloudAccount.objects.for_tenant(acme).get().credentials == SECRET


def test_credentials_are_not_sent_to_another_server(alice, acme):
    path = f"/api/cloud-accounts/{make(alice, credentials=SECRET)['id']}/"

    same = alice.patch(path, {"settings": BODY["settings"] | {"timeout_s": 5}}, format="json")
    assert (same.status_code, CloudAccount.objects.for_tenant(acme).get().credentials) == (200, SECRET)
    alice.patch(path, {"settings": BODY["settings"] | {"base": "https://evil.example.org"}}, format="json")
    assert CloudAccount.objects.for_tenant(acme).get().credentials == {}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        pytest.param({"provider": "magic"}, "cloud.unknown_provider", id="unknown provider"),
        pytest.param({"settings": {}}, "invalid_parameter", id="settings left out"),
        pytest.param({"credentials": {"password": "x"}}, "invalid_parameter", id="unknown credential"),
        pytest.param(
            {"settings": {"base": "http://127.0.0.1", "allow": ["GET /"]}},
            "invalid_parameter",
            id="our own network",
        ),
        pytest.param(
            {"settings": {"base": "https://a", "allow": ["BREW /"]}}, "invalid_parameter", id="method"
        ),
    ],
)
def test_what_the_adapter_does_not_take_is_refused(alice, acme, values, code):
    answer = alice.post("/api/cloud-accounts/", BODY | values, format="json")

    assert (answer.status_code, answer.json()["title"]) == (400, code)
    assert not CloudAccount.objects.for_tenant(acme).exists()


def test_a_refusal_does_not_repeat_a_secret(alice, acme):
    answer = alice.post("/api/cloud-accounts/", BODY | {"credentials": {"headers": "hunter2"}}, format="json")

    assert answer.status_code == 400
    assert b"hunter2" not in answer.content


def test_check_asks_the_provider_and_keeps_the_answer(alice, acme, settings):
    settings.CLOUD_ALLOW_PRIVATE = True
    with http_server() as server:
        server.reply = Reply(200)
        base = f"http://127.0.0.1:{server.server_port}"
        made = make(alice, settings={"base": base, "allow": ["GET /"], "check": "/up"}, credentials=SECRET)
        found = alice.post(f"/api/cloud-accounts/{made['id']}/check/").json()
        server.reply = Reply(401)
        refused = alice.post(f"/api/cloud-accounts/{made['id']}/check/").json()

    assert found == {"ok": True, "identity": f"{base} answered 200", "fault": ""}
    assert [each.headers["Authorization"] for each in server.arrived] == ["Bearer hunter2"] * 2
    assert (refused["ok"], refused["fault"][:23]) == (False, "the server answered 401")
    row = CloudAccount.objects.for_tenant(acme).get()
    assert (row.identity, row.fault[:23]) == (found["identity"], "the server answered 401")
    actions = AuditEvent.objects.for_tenant(acme).order_by("sequence").values_list("action", flat=True)
    assert list(actions)[-3:] == ["cloud_account.saved", "cloud_account.checked", "cloud_account.checked"]


def test_account_opens_by_name_within_its_tenant(alice, acme, settings):
    settings.CLOUD_ALLOW_PRIVATE = True
    other = make_tenant("other")
    with http_server() as server:
        server.reply = Reply(200)
        make(alice, settings={"base": f"http://127.0.0.1:{server.server_port}", "allow": ["POST /x"]})
        with tenant_scope(acme.pk), open_account(acme.pk, "deployer") as opened:
            action = opened.adapter.actions["send_request"]
            parameters = action.word.parameters(path="/x", body='{"password": "hunter2"}')
            sight = action.look(opened.session, parameters)
            assert server.arrived == []
            receipt = action.act(opened.session, parameters, sight, key="k1")
            (exchange,) = opened.session.exchanges()

    assert (receipt.operation, exchange.status) == ({"status": 200}, "200")
    assert exchange.sent == {"password": "***"}
    assert isinstance(server.arrived[0], Arrived)
    assert server.arrived[0].headers["Idempotency-Key"] == "k1"
    with tenant_scope(other.pk), pytest.raises(UnknownAccount), open_account(other.pk, "deployer"):
        pass


def test_disabled_account_does_not_open(alice, acme):
    make(alice, enabled=False)
    with tenant_scope(acme.pk), pytest.raises(AccountDisabled), open_account(acme.pk, "deployer"):
        pass


def test_provider_whose_extra_is_missing_is_named_with_it(settings, monkeypatch):
    def without(path):
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    monkeypatch.setattr(providers, "import_string", without)
    settings.CLOUD_ADAPTERS = ["cloud.adapters.aws.adapter.AwsAdapter"]
    with pytest.raises(UnknownProvider, match=r"needs the extra \[aws\]"):
        providers.registry().adapter("aws")


def test_a_path_of_ours_that_is_wrong_is_no_missing_extra(settings):
    settings.CLOUD_ADAPTERS = ["cloud.adapters.nothing.adapter.Nothing"]
    with pytest.raises(ModuleNotFoundError):
        providers.registry()
