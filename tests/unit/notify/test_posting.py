"""Guarded requests: pinned addresses, names and certificates, deadlines, answers of every kind."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rules.notify.notification import DeliveryFailed, DeliveryRefused
from rules.notify.posting import MAX_ANSWER_BYTES, Poster
from tests.fakes.http_server import FakeHTTPServer, Reply, http_server

HOST = "hooks.example"


def make_poster(**values: Any) -> Poster:
    values = {
        "resolver": lambda _: ["127.0.0.1"],
        "allow_private": True,
        "ssl_context": ssl.create_default_context(),
        "monotonic": time.monotonic,
    } | values
    return Poster(**values)


def post(poster: Poster, url: str, timeout_s: float = 5.0) -> Any:
    return poster.post(url, b'{"a":1}', {"X-Key": "k"}, timeout_s=timeout_s)


@pytest.fixture
def server() -> Iterator[FakeHTTPServer]:
    with http_server() as server:
        yield server


def test_the_connection_goes_to_the_checked_address_and_the_host_keeps_its_name(server):
    assert post(make_poster(), server.url(HOST)).status == 204
    (arrived,) = server.arrived
    assert arrived.headers["Host"] == f"{HOST}:{server.server_port}"
    assert arrived.headers["X-Key"] == "k"
    assert arrived.body == b'{"a":1}'


def test_an_ipv6_address_stands_in_brackets(server):
    assert post(make_poster(), server.url("[2001:db8::1]")).status == 204
    assert server.arrived[0].headers["Host"] == f"[2001:db8::1]:{server.server_port}"


def test_the_name_is_resolved_once(server):
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    assert post(make_poster(resolver=lambda _: next(answers)), server.url(HOST)).status == 204
    assert next(answers) == ["169.254.169.254"]


def test_an_address_that_is_not_public_gets_no_connection(server):
    with pytest.raises(DeliveryRefused, match="not public"):
        post(make_poster(allow_private=False), server.url(HOST))
    assert server.arrived == []


def test_the_next_address_is_tried_when_one_takes_no_connection(server):
    poster = make_poster(resolver=lambda _: ["127.0.0.2", "127.0.0.1"])
    assert post(poster, server.url(HOST)).status == 204


def test_a_closed_port_fails():
    with pytest.raises(DeliveryFailed, match="ConnectError"):
        post(make_poster(), f"http://{HOST}:1/")


def test_a_redirect_is_an_answer_and_is_not_followed(server):
    server.reply = Reply(302, {"Location": server.url("169.254.169.254")})
    answer = post(make_poster(), server.url(HOST))
    assert (answer.status, answer.headers["location"]) == (302, server.url("169.254.169.254"))
    assert len(server.arrived) == 1


def test_an_answer_that_breaks_off_fails(server):
    server.reply = Reply(200, body=b"half", missing=10)
    with pytest.raises(DeliveryFailed, match="RemoteProtocolError"):
        post(make_poster(), server.url(HOST))


def test_an_endless_answer_is_read_up_to_the_limit(server):
    server.reply = Reply(200, endless=True)
    assert post(make_poster(), server.url(HOST)).status == 200


def test_a_long_answer_is_cut(server):
    server.reply = Reply(200, body=b"x" * (MAX_ANSWER_BYTES * 4))
    assert post(make_poster(), server.url(HOST)).status == 200


def test_the_deadline_bounds_all_steps_together(server):
    """Each look at the clock finds a second gone: no single wait is long, but their sum is."""
    server.reply = Reply(200, endless=True)
    ticks = count()
    with pytest.raises(DeliveryFailed, match="no whole answer within 4 s"):
        post(make_poster(monotonic=lambda: float(next(ticks))), server.url(HOST), timeout_s=4)


def test_silence_ends_with_the_time(server):
    server.reply = Reply(silent=True)
    with pytest.raises(DeliveryFailed, match=r"no whole answer within 0\.1 s"):
        post(make_poster(), server.url(HOST), timeout_s=0.1)


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._certificate("authority", self.key, authority=True)
        self.file = self._write("authority.pem", self.certificate)

    def server_context(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        chain = self._write(f"{host}.pem", self._certificate(host, key))
        secret = self.folder / f"{host}.key"
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, secret)
        return context

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, *, authority: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)  # noqa: TID251 (OpenSSL compares with the system's clock)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Callable[[str], tuple[FakeHTTPServer, Poster]]]:
    """A server with a certificate for a name, and a poster that trusts its authority."""
    authority = Authority(tmp_path)
    servers = []

    def start(name: str) -> tuple[FakeHTTPServer, Poster]:
        manager = http_server(authority.server_context(name))
        servers.append(manager)
        context = ssl.create_default_context(cafile=str(authority.file))
        return manager.__enter__(), make_poster(ssl_context=context)

    yield start
    for manager in servers:
        manager.__exit__(None, None, None)


def test_a_certificate_for_the_hosts_name_is_accepted(secure):
    server, poster = secure(HOST)
    assert post(poster, server.url(HOST)).status == 204
    assert server.arrived[0].headers["Host"] == f"{HOST}:{server.server_port}"


def test_a_certificate_for_another_name_is_not(secure):
    server, poster = secure("other.example")
    with pytest.raises(DeliveryFailed, match="certificate"):
        post(poster, server.url(HOST))
    assert server.arrived == []


def test_a_certificate_of_an_unknown_authority_is_not(secure):
    server, _ = secure(HOST)
    with pytest.raises(DeliveryFailed, match="certificate"):
        post(make_poster(), server.url(HOST))


def test_a_name_verified_once_does_not_vouch_for_another_at_the_same_address(secure):
    server, poster = secure(HOST)
    assert post(poster, server.url(HOST)).status == 204
    with pytest.raises(DeliveryFailed, match="certificate"):
        post(poster, server.url("other.example"))
