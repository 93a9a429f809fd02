"""Bounds of the faces. Stages get theirs as arguments; what a tenant may use is its quota, a row."""

from __future__ import annotations

from alertsite.settings.env import Environment, process_variables

env = Environment(process_variables())

MEBIBYTE = 1024 * 1024

MAX_REQUEST_BYTES = env.integer(
    "MAX_REQUEST_BYTES", 32 * MEBIBYTE, minimum=64 * 1024, maximum=1024 * MEBIBYTE
)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_REQUEST_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000  # an admin page of inlines, not an attack

# One rate a class of views; a view names its class in `throttle_scope`.
THROTTLE_RATES = {
    "token": "20/min",
    "read": "1200/min",
    "write": "300/min",
    "ingest": "6000/min",
    "ping": "1200/min",
    "link": "60/min",
}
