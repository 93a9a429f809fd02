"""The hot store: recent samples of one tenant as packed blocks in Redis, shared by all processes.

`RedisSeries` is the reader and the writer. The modules beneath it: `frames` and `blocks` (what lies in Redis
and how it is decoded), `directory` (series numbers), `scripts` (what is atomic), `writer`, `reader` and
`upkeep`.
"""

from rules.series.backends.redis_hot.store import RedisSeries

__all__ = ["RedisSeries"]
