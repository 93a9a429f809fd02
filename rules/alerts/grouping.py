"""Groups: which alerts share a message, and when a group is looked at.

In: a route and label sets, times in milliseconds. Out: the labels and the key of the group, and the
arithmetic of its timer. The timer is Alertmanager's: the first flush `group_wait` after the group began,
then every `group_interval` counted from the first flush.
"""

from __future__ import annotations

from collections.abc import Mapping

from alertsite.core.labels import MatchOp
from rules.alerts.matchers import Matcher, format_matchers
from rules.alerts.routes import Route


def group_labels(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that all alerts of the group share; a label the alert lacks is left out."""
    if route.group_by is None:
        return {name: value for name, value in labels.items() if value}
    return {name: labels[name] for name in route.group_by if labels.get(name)}


def group_key(route: Route, receiver: str, shared: Mapping[str, str]) -> str:
    """The name of the group at this receiver; it depends on the route's path, not on its id."""
    ordered = (Matcher(name, MatchOp.EQUAL, value) for name, value in sorted(shared.items()))
    return f"{route.path}:{format_matchers(ordered)}@{receiver}"


def first_flush_ms(now_ms: int, starts_ms: int, group_wait_ms: int) -> int:
    """When a group that begins now with this alert is first flushed: at once if the alert waited already."""
    return now_ms if starts_ms + group_wait_ms < now_ms else now_ms + group_wait_ms


def tick_at_or_after(anchor_ms: int, interval_ms: int, at_ms: int) -> int:
    """The first `anchor + k * interval` (k >= 0) that is not before `at_ms`."""
    if at_ms <= anchor_ms:
        return anchor_ms
    return anchor_ms - (anchor_ms - at_ms) // interval_ms * interval_ms


def tick_at_or_before(anchor_ms: int, interval_ms: int, at_ms: int) -> int:
    """The last `anchor + k * interval` (k >= 0) that is not after `at_ms`; the anchor if none is."""
    if at_ms <= anchor_ms:
        return anchor_ms
    return anchor_ms + (at_ms - anchor_ms) // interval_ms * interval_ms
