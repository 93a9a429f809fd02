"""Which addresses count as public, and that one private address is enough to refuse a host."""

from __future__ import annotations

import socket

import pytest
from pydantic import TypeAdapter

from rules.notify.addresses import checked_addresses, is_public, resolve
from rules.notify.notification import DeliveryFailed, DeliveryRefused
from rules.notify.receivers.webhook.config import WebhookConfig


@pytest.mark.parametrize(
    ("address", "public"),
    [
        pytest.param("8.8.8.8", True, id="public IPv4"),
        pytest.param("2606:4700::1111", True, id="public IPv6"),
        pytest.param("127.0.0.1", False, id="loopback"),
        pytest.param("127.1.2.3", False, id="anywhere in 127/8"),
        pytest.param("0.0.0.0", False, id="this host"),
        pytest.param("10.1.2.3", False, id="private 10/8"),
        pytest.param("172.16.0.1", False, id="private 172.16/12"),
        pytest.param("192.168.1.1", False, id="private 192.168/16"),
        pytest.param("100.64.0.1", False, id="carrier-grade NAT"),
        pytest.param("169.254.169.254", False, id="cloud metadata"),
        pytest.param("224.0.0.1", False, id="multicast"),
        pytest.param("255.255.255.255", False, id="broadcast"),
        pytest.param("240.0.0.1", False, id="reserved"),
        pytest.param("::1", False, id="IPv6 loopback"),
        pytest.param("::", False, id="IPv6 unspecified"),
        pytest.param("fe80::1%eth0", False, id="link local with a zone"),
        pytest.param("fd00::1", False, id="unique local"),
        pytest.param("ff02::1", False, id="IPv6 multicast"),
        pytest.param("::ffff:127.0.0.1", False, id="IPv4-mapped loopback"),
        pytest.param("::ffff:8.8.8.8", True, id="IPv4-mapped public"),
        pytest.param("::127.0.0.1", False, id="IPv4-compatible loopback"),
        pytest.param("2002:7f00:1::", False, id="6to4 of loopback"),
        pytest.param("2002:808:808::", True, id="6to4 of a public address"),
        pytest.param("64:ff9b::a00:1", False, id="translated private"),
        pytest.param("64:ff9b::808:808", True, id="translated public"),
        pytest.param("2001:0:4136:e378:8000:63bf:f5ff:fffe", False, id="Teredo of 10.0.0.1"),
    ],
)
def test_is_public(address, public):
    assert is_public(address) is public


def test_one_private_address_refuses_the_host_without_naming_it():
    with pytest.raises(DeliveryRefused, match=r"'mixed\.example' has an address that is not") as caught:
        checked_addresses("mixed.example", lambda _: ["8.8.8.8", "10.0.0.7"], allow_private=False)
    assert "10.0.0.7" not in str(caught.value)


def test_private_addresses_pass_when_allowed():
    addresses = checked_addresses("mixed.example", lambda _: ["8.8.8.8", "10.0.0.7"], allow_private=True)
    assert addresses == ["8.8.8.8", "10.0.0.7"]


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("2130706433", id="decimal"),
        pytest.param("0x7f000001", id="hexadecimal"),
        pytest.param("0177.0.0.1", id="octal"),
        pytest.param("127.1", id="short"),
        pytest.param("127.0.0.1", id="plain"),
    ],
)
def test_unusual_notations_of_loopback_are_refused(host):
    written = TypeAdapter(WebhookConfig).validate_python({"url": f"http://{host}/"}).url.host
    for name in {host, written}:
        with pytest.raises(DeliveryRefused):
            checked_addresses(name, resolve, allow_private=False)


def test_a_name_that_cannot_be_resolved_may_be_later(monkeypatch):
    def no_answer(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_answer)
    with pytest.raises(DeliveryFailed, match=r"'gone\.example' cannot be resolved: Temporary failure"):
        resolve("gone.example")


def test_a_name_that_is_none_fails():
    with pytest.raises(DeliveryFailed, match="no host name"):
        resolve("a" * 70 + ".example")


def test_addresses_come_once_each():
    assert resolve("127.0.0.1") == ["127.0.0.1"]
