"""The ASGI application: a request, its body and its answer through one thread."""

from __future__ import annotations

import asyncio

import pytest

from alertsite.web.asgi import ThreadedHandler


def ask(method: str, path: str, body: tuple[bytes, ...] = (b"",), headers=(), kind: str = "http"):
    """Status, headers and body of the answer. `body` arrives in these parts."""
    parts = [
        {"type": "http.request", "body": part, "more_body": number + 1 < len(body)}
        for number, part in enumerate(body)
    ]
    return exchange(method, path, parts, headers, kind)


def exchange(method, path, parts, headers=(), kind="http"):
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "http_version": "1.1",
    }
    asyncio.run(ThreadedHandler(1)(scope, receive, send))
    if not sent:
        return None
    head = sent[0]
    return head["status"], dict(head["headers"]), b"".join(one["body"] for one in sent[1:])


@pytest.mark.django_db(transaction=True)
def test_a_view_answers():
    status, headers, body = ask("GET", "/healthz")
    assert status == 200
    assert headers[b"X-Content-Type-Options"] == b"nosniff"  # the middleware had its turn
    assert body


@pytest.mark.django_db(transaction=True)
def test_a_body_arrives_in_parts():
    status, _, body = ask(
        "POST",
        "/api/token/",
        (b'{"username": "no', b'body", "password": ""}'),
        [(b"content-type", b"application/json")],
    )
    assert status == 400
    assert b"password" in body


@pytest.mark.django_db(transaction=True)
def test_an_unknown_path_is_404():
    assert ask("GET", "/nowhere")[0] == 404


def test_whoever_leaves_before_the_body_is_sent_gets_nothing():
    assert exchange("POST", "/api/token/", [{"type": "http.disconnect"}]) is None


def test_other_protocols_are_refused():
    with pytest.raises(ValueError, match="'websocket', accepts 'http'"):
        ask("GET", "/", kind="websocket")
