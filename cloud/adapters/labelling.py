"""Tags, dimensions and metric names of providers in the form of labels.

Names as providers write them go in, names that a label may have come out. Refuses nothing: of two tags that
would get one name the first stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

LONGEST_VALUE: Final = 1_000


def labels_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as labels: other characters than letters, digits and `_` become `_`; empty values are left out."""
    labels: dict[str, str] = {}
    for name, value in tags.items():
        plain = re.sub(r"[^a-zA-Z0-9_]", "_", name)
        plain = f"_{plain}" if not plain or plain[0].isdigit() else plain
        if value:
            # Two leading underscores are for the platform's own labels.
            labels.setdefault(re.sub(r"^__+", "_", plain), str(value)[:LONGEST_VALUE])
    return labels


def snake(name: str) -> str:
    """`CPUUtilization` and `Percentage CPU` as `cpu_utilization` and `percentage_cpu`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def series_name(provider: str, metric: str) -> str:
    """The name of a metric's series: `cloud_aws_cpu_utilization`."""
    return f"cloud_{provider}_{snake(metric)}"
