"""The agent's HTTP server, one thread a request."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloud.hostagent.agent import Agent


class AgentServer(ThreadingHTTPServer):
    """Serves one agent."""

    daemon_threads = True

    def __init__(self, agent: Agent, address: str, port: int) -> None:
        super().__init__((address, port), _Handler)
        self.agent = agent


class _Handler(BaseHTTPRequestHandler):
    server: AgentServer
    timeout = 30

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, body = self.server.agent.answer(self.command, self.path, headers)
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = _answer  # noqa: N815 (the base class's names)

    def log_message(self, *_: Any) -> None:
        """Silent: what is restarted is in the supervisor's own log."""
