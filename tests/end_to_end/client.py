"""A person at the REST API, a webhook's other side, and a sender of samples, all over real sockets."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from alertsite.core.clock import SystemClock


class Person:
    """The operator, or somebody whose password is known, who signs in again when the token ends and tries
    again while web is being restarted.
    """

    def __init__(self, port: int, output: str = "", *, name: str = "operator", password: str = "") -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
        self._name = name
        self._password = password or re.search(r"password: (\S+)", output).group(1)
        self._token = ""

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, within_s: float = 60, **options):
        """The JSON of a successful answer."""
        deadline = time.monotonic() + within_s
        while True:
            answer = self._once(method, path, options)
            if answer is not None and answer.status_code < 400:
                return answer.json() if answer.content else None
            if answer is not None and answer.status_code not in {401, 500, 502, 503}:
                raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path}: no answer within {within_s} s ({answer})")
            time.sleep(0.3)

    def everything(self, path: str, **parameters):
        """Every page of a list."""
        page = self.call("GET", path, params={"limit": 1000, **parameters})
        rows = page["results"]
        while page["next"]:
            page = self.call("GET", page["next"])
            rows += page["results"]
        return rows

    def _once(self, method, path, options):
        try:
            if not self._token:
                credentials = {"username": self._name, "password": self._password}
                self._token = self._http.post("/api/token/", json=credentials).json()["access"]
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = self._http.request(method, path, headers=headers, **options)
        except (httpx.HTTPError, KeyError, ValueError):
            return None
        if answer.status_code == 401:
            self._token = ""
        return answer


class WebhookSink:
    """Takes notifications and counts them by idempotency key."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.keys[self.headers["Idempotency-Key"]] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Sender(threading.Thread):
    """Sends samples of a few series that go up and down, and remembers which were accepted."""

    def __init__(self, port: int, key: str, series: int) -> None:
        super().__init__(daemon=True)
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=10, headers={"Authorization": f"Bearer {key}"}
        )
        self._series = series
        self._done = threading.Event()
        self.accepted: list[int] = []
        """Times, ms, of requests that were answered with success: one sample of each series."""

    def run(self) -> None:
        while not self._done.wait(0.25):
            now_ms = SystemClock().now_ms()
            rows = (
                {"labels": {"__name__": "load", "n": str(n)}, "samples": [[now_ms, self._value(n, now_ms)]]}
                for n in range(self._series)
            )
            try:
                answer = self._http.post("/api/series/", content="\n".join(map(json.dumps, rows)))
            except httpx.HTTPError:
                continue
            if answer.status_code == 200:
                self.accepted.append(now_ms)

    def _value(self, number: int, now_ms: int) -> int:
        """High for five seconds in ten, each series at another time."""
        return int((now_ms // 1000 + number) % 10 < 5)

    def finish(self) -> None:
        self._done.set()
        self.join()
        self._http.close()
