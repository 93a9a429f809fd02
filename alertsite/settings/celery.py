"""Celery's settings, read by `alertsite.celery` under the prefix `CELERY_`."""

from __future__ import annotations

import sys
from typing import Final

from alertsite.settings.broker import broker_from_redis
from alertsite.settings.env import Environment, process_variables

env = Environment(process_variables())

# A queue is a capability: a pool of workers serves those it is made for.
QUEUES: Final = ("ingest", "evaluate", "notify", "infer", "train", "optimise", "heal", "report", "upkeep")

REDIS_URL = env.secret_url("REDIS_URL", schemes=("redis", "rediss", "unix"))

CELERY_BROKER_URL = broker_from_redis(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a broker that comes back finds its workers
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A message whose worker vanished is delivered again after this; claims with leases act sooner.
    "visibility_timeout": 3600,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "upkeep"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TRACK_STARTED = False
CELERY_WORKER_PREFETCH_MULTIPLIER = env.integer("WORKER_PREFETCH", 1, minimum=1, maximum=16)
# Celery would connect to PostgreSQL anew for each task, which costs more than most tasks do; how long a
# connection is kept is Django's to say (`CONN_MAX_AGE`).
CELERY_DB_REUSE_MAX = sys.maxsize
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "alertsite.runtime.beat:BeatingScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1

# Touched while worker and beat are alive; whoever watches them looks at its age. Empty: not touched.
HEARTBEAT_FILE = env.text("HEARTBEAT_FILE", "")
