"""One Prometheus-compatible server. In: expressions and times. Out: answers.

Refused: addresses that are not public (unless allowed), answers that are too long, too late or no answers.
Nothing is asked twice by itself.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from alertsite.core.labels import LabelSet
from alertsite.core.samples import Floats
from rules.datasources.answers import DatasourceFailed, read_instant, read_range, read_version
from rules.evaluation.remote import Answer
from rules.notify.notification import DeliveryFailed, DeliveryRefused
from rules.notify.posting import Content, Poster, Sending

MAX_ANSWER_BYTES: Final = 16 << 20
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class DatasourceUnreachable(DatasourceFailed):
    """A datasource did not answer at all, or not in time: asking it again at once is useless."""

    code = "datasource.unreachable"


@dataclass(frozen=True, slots=True)
class Connection:
    """How a server is reached. `url` is what comes before `/api/v1/query`."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Credentials among them: they are shown to nobody."""
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class PrometheusClient:
    """A server, ready to be asked."""

    connection: Connection
    poster: Poster

    def instant(self, expr: str, at_ms: int, *, within_s: float) -> Answer:
        """The value of an expression at one time.

        Raises
        ------
        DatasourceFailed
        """
        timeout_s = min(self.connection.timeout_s, within_s)
        form = {"query": expr, "time": _seconds(at_ms), "timeout": f"{timeout_s:.3f}"}
        with _named(self.connection):
            content = self._ask("query", form, timeout_s)
            return read_instant(content.status, content.body)

    def over(self, expr: str, ticks: range) -> Iterator[tuple[LabelSet, list[int], Floats]]:
        """Its values at each tick, as series.

        Raises
        ------
        DatasourceFailed
        """
        form = {
            "query": expr,
            "start": _seconds(ticks[0]),
            "end": _seconds(ticks[-1]),
            "step": _seconds(ticks.step),
            "nocache": "1",  # else VictoriaMetrics moves start and end to multiples of the step
        }
        with _named(self.connection):
            content = self._ask("query_range", form, self.connection.timeout_s)
            yield from read_range(content.status, content.body)

    def version(self) -> str:
        """What the server says it is; empty when it does not say.

        Raises
        ------
        DatasourceFailed
        """
        with _named(self.connection):
            sending = self._sending("GET", "status/buildinfo")
            content = self._fetched(sending, self.connection.timeout_s)
            return read_version(content.body) if content.status == 200 else ""

    def _ask(self, what: str, form: Mapping[str, str], timeout_s: float) -> Content:
        sending = self._sending("POST", what, urlencode(form).encode())
        return self._fetched(sending, timeout_s)

    def _sending(self, method: str, what: str, body: bytes = b"") -> Sending:
        headers = {**self.connection.headers, **_FORM}
        return Sending(method, f"{self.connection.url.rstrip('/')}/api/v1/{what}", headers, body)

    def _fetched(self, sending: Sending, timeout_s: float) -> Content:
        content = self.poster.fetch(sending, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES)
        if not content.whole:
            raise DatasourceFailed(f"its answer is longer than {MAX_ANSWER_BYTES} bytes")
        return content


@contextmanager
def _named(connection: Connection) -> Iterator[None]:
    """Say of every failure which datasource it is, and whether it could not be reached at all."""
    try:
        yield
    except (DeliveryFailed, DeliveryRefused) as error:
        raise DatasourceUnreachable(f"datasource {connection.name!r}: {error}") from None
    except DatasourceFailed as error:
        raise DatasourceFailed(f"datasource {connection.name!r}: {error}") from None


def basic(user: str, password: str) -> str:
    """The `Authorization` header of a user with a password."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:.3f}"
