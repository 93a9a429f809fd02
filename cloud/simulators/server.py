"""The HTTP server of every simulator: one world behind a lock, faults on request, a control address.

A world (the state and rules of one provider) goes in; it is served on a free loopback port.
`POST /_control/faults` takes `[{"kind": …, "times": 1, "matching": "POST .*"}]`, `POST /_control/world` sets
what the world calls its knobs, `GET /_control/calls` tells what changed something.
"""

from __future__ import annotations

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class FaultKind(StrEnum):
    """What may go wrong on request."""

    EXPIRED = "expired"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    GONE = "gone"
    QUOTA = "quota"
    UNAVAILABLE = "unavailable"
    LOST = "lost"
    """It is done, and the connection breaks before the answer."""


@dataclass(slots=True)
class Fault:
    """One kind of fault, for so many requests whose label matches."""

    kind: FaultKind
    times: int = 1
    matching: str = ".*"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `query` has the last value of each parameter."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    target: str = ""

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `body` is sent as JSON unless it is bytes."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class World(ABC):
    """State and rules of one provider."""

    @abstractmethod
    def answer(self, asked: Asked) -> Answer:
        """Do what was asked."""

    @abstractmethod
    def fault(self, kind: FaultKind, asked: Asked) -> Answer:
        """How this provider says that something is wrong."""

    def label(self, asked: Asked) -> str:
        """What a fault's `matching` is compared with."""
        return f"{asked.method} {asked.path}"

    def changes(self, asked: Asked) -> bool:
        """Whether a request may change something."""
        return asked.method not in ("GET", "HEAD")

    def set(self, knobs: Mapping[str, Any]) -> None:  # noqa: B027 (most have nothing to change)
        """Change how the world behaves."""


class SimulatorServer(ThreadingHTTPServer):
    """Serves one world."""

    daemon_threads = True

    def __init__(self, world: World, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.world = world
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        """Labels of the requests that may have changed something, oldest first."""
        self._losing = False
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    def reply(self, asked: Asked) -> Answer | None:
        """The answer; None when it is to be lost."""
        with self._lock:
            if asked.path.startswith("/_control/"):
                return self._controlled(asked)
            label = self.world.label(asked)
            kind = self._fault_for(label)
            if kind is not None and kind is not FaultKind.LOST:
                return self.world.fault(kind, asked)
            if self.world.changes(asked):
                self.calls.append(label)
                kind, self._losing = FaultKind.LOST if self._losing else kind, False
            answer = self.world.answer(asked)
            return None if kind is FaultKind.LOST else answer

    def lose_next_change(self) -> None:
        """Do the next request that changes something, and break the connection before its answer."""
        self._losing = True

    def _fault_for(self, request: str) -> FaultKind | None:
        for fault in self.faults:
            if fault.times > 0 and re.fullmatch(fault.matching, request):
                fault.times -= 1
                return fault.kind
        return None

    def _controlled(self, asked: Asked) -> Answer:
        if asked.path == "/_control/faults":
            self.faults = [Fault(**one | {"kind": FaultKind(one["kind"])}) for one in asked.json()]
        elif asked.path == "/_control/world":
            self.world.set(asked.json())
        elif asked.path == "/_control/calls":
            return Answer(200, {"calls": self.calls})
        else:
            return Answer(404, {"error": "faults, world or calls"})
        return Answer(204)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the exercise."""


class _Handler(BaseHTTPRequestHandler):
    server: SimulatorServer
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        asked = Asked(self.command, unquote(parts.path), query, headers, body, self.path)
        answer = self.server.reply(asked)
        if answer is None:
            self.close_connection = True
            return
        self._write(answer)

    def _write(self, answer: Answer) -> None:
        body = answer.body
        if not isinstance(body, bytes):
            body = b"" if body is None else json.dumps(body).encode()
        self.send_response(answer.status)
        sent = {"Content-Type": "application/json"} | dict(answer.headers)
        for name, value in sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 (the base class's names)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextmanager
def serving(world: World, port: int = 0) -> Iterator[SimulatorServer]:
    """A server of the world, in a thread of its own, until the end."""
    server = SimulatorServer(world, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
