"""The guard around Apprise: which events of the interpreter it lets pass."""

from __future__ import annotations

import sysconfig

import pytest

from rules.notify.notification import DeliveryRefused, InvalidReceiver
from rules.notify.receivers.apprise.receiver import AppriseKind
from rules.notify.receivers.registry import ReceiverRegistry
from tests.factories.notifications import make_notification

pytest.importorskip("apprise", reason="the extra `apprise` is not installed")

from rules.notify.receivers.apprise.sender import Guard, shortened

STDLIB = sysconfig.get_path("stdlib")


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        pytest.param("socket.connect", (None, ("93.184.215.14", 443)), id="public address"),
        pytest.param("socket.connect", (None, ("2606:2800:21f::1", 443, 0, 0)), id="public IPv6 address"),
        pytest.param("socket.sendmsg", (None, None), id="on a connection"),
        pytest.param("open", (f"{STDLIB}/json/__init__.py", "r", 0), id="the installation"),
        pytest.param("open", (3, "r", 0), id="what is open"),
        pytest.param("import", ("json",), id="import"),
    ],
)
def test_what_a_message_needs_passes(event, arguments):
    Guard(allow_private=False)(event, arguments)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        pytest.param("socket.connect", (None, ("127.0.0.1", 80)), id="this machine"),
        pytest.param("socket.connect", (None, ("169.254.169.254", 80)), id="metadata of a cloud"),
        pytest.param("socket.connect", (None, ("::ffff:10.0.0.1", 80, 0, 0)), id="private, in IPv6"),
        pytest.param("socket.connect", (None, ("internal.example", 80)), id="a name"),
        pytest.param("socket.connect", (None, "/run/dbus/system_bus_socket"), id="local socket"),
        pytest.param("socket.sendto", (None, ("10.0.0.1", 514)), id="datagram"),
        pytest.param("open", ("/etc/passwd", "r", 0), id="file"),
        pytest.param("open", (f"{STDLIB}/../../../../../../etc/passwd", "r", 0), id="file by a detour"),
        pytest.param("open", (f"{STDLIB}/json/__init__.py", "w", 0), id="writing"),
        pytest.param("subprocess.Popen", ("sh", [], None, None), id="program"),
        pytest.param("os.system", ("sh",), id="shell"),
        pytest.param("syslog.syslog", (1, "x"), id="system's log"),
    ],
)
def test_nothing_else_passes(event, arguments):
    guard = Guard(allow_private=False)
    with pytest.raises(PermissionError):
        guard(event, arguments)
    assert len(guard.refused) == 1


@pytest.mark.parametrize("url", ["syslog://", "dbus://x", "no url", "json://a\nb"])
def test_a_url_that_is_none_or_local_is_refused(url):
    with pytest.raises(InvalidReceiver) as caught:
        ReceiverRegistry([AppriseKind(allow_private=True)]).open("apprise", {}, {"url": url})
    assert list(caught.value.errors) == ["secrets.url"]


def test_a_service_nobody_knows_is_refused():
    channel = ReceiverRegistry([AppriseKind(allow_private=True)]).open("apprise", {}, {"url": "nope://x"})
    with pytest.raises(DeliveryRefused, match="does not know"):
        channel.send(make_notification())


def test_a_file_of_ours_cannot_be_sent_as_a_key():
    url = {"url": "fcm://project/device?mode=oauth2&keyfile=/etc/passwd"}
    channel = ReceiverRegistry([AppriseKind(allow_private=True)]).open("apprise", {}, url)
    with pytest.raises(DeliveryRefused, match="a file of the platform"):
        channel.send(make_notification())


def test_a_text_is_as_long_as_the_service_takes():
    assert shortened("x" * 100, 100) == "x" * 100
    cut = shortened("x" * 101, 100)
    assert len(cut) == 100
    assert cut.endswith("(101 characters in all)")
