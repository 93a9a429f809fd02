"""CPU seconds of this process, of Redis and of PostgreSQL, from their own accounting."""

from __future__ import annotations

import resource
from dataclasses import dataclass

import psutil
import redis
from django.db import connection


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """User and system time together. Seconds since some start; differences count."""

    worker: float
    redis: float
    postgres: float

    def __sub__(self, earlier: CpuSeconds) -> CpuSeconds:
        return CpuSeconds(
            self.worker - earlier.worker, self.redis - earlier.redis, self.postgres - earlier.postgres
        )

    def __add__(self, other: CpuSeconds) -> CpuSeconds:
        return CpuSeconds(
            self.worker + other.worker, self.redis + other.redis, self.postgres + other.postgres
        )

    @property
    def total(self) -> float:
        """Of all processes."""
        return self.worker + self.redis + self.postgres


NONE = CpuSeconds(0.0, 0.0, 0.0)


class Meter:
    """Reads the accounts of this process, of its Redis server and of its PostgreSQL server."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = psutil.Process(cursor.fetchone()[0])
        self._postmaster = backend.parent() or backend

    def read(self) -> CpuSeconds:
        """The accounts as of now."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return CpuSeconds(usage.ru_utime + usage.ru_stime, self._redis(), self._postgres())

    def _redis(self) -> float:
        info = self._client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def _postgres(self) -> float:
        """The postmaster with its children, those that ended included."""
        own = self._postmaster.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._postmaster.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return float(total)


def resident_mb() -> float:
    """Resident memory of this process, MB."""
    return float(psutil.Process().memory_info().rss) / 1e6
