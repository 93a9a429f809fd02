"""Probabilities of incidents of a tenant or of its services, from when their alerts began to fire.

In: a group of incidents and its due ticks. Out: `incident_probability{horizon=…}` and beside it
`incident_probability_skill`, the Brier skill against the base rate on the last part of the past. Refused:
nothing; without any alert in the past there is nothing to tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.labels import label_set
from alertsite.core.samples import Ints
from ml.forecasting.incident_probability import HORIZONS_H, HOUR_MS, Incidents, learn, onsets, past_skill
from ml.learning.incidents import shipped_prior
from ml.models import ModelGroup
from ml.services.outputs import Output, Told, at_once, horizon_label, output_labels
from rules.models import AlertTransition

PAST_DAYS: Final = 180
MAX_SERVICES: Final = 100
"""Services with the most alerts, of those that a label tells apart."""


def tell_incidents(group: ModelGroup, ticks: range, *, now_ms: int) -> Told:
    """The probabilities of each service at these ticks."""
    outputs: list[Output] = []
    for tick in ticks:
        for service, past in incidents_of(group.tenant_id, group.service_label, min(tick, now_ms)).items():
            outputs.extend(_at(group, service, past, tick))
    if not outputs:
        reason = f"no alert has fired in the last {PAST_DAYS} days"
        return Told([], ModelGroup.State.WARMING, reason)
    return Told(outputs, ModelGroup.State.ACTIVE)


def incidents_of(tenant_id: UUID, service_label: str, at_ms: int) -> Mapping[str, Incidents]:
    """What is known at a moment of the incidents of each service; of the tenant, as '', without a label."""
    since_ms = at_ms - PAST_DAYS * 24 * HOUR_MS
    fired = AlertTransition.objects.for_tenant(tenant_id).filter(
        state=AlertTransition.State.FIRING, at__gt=to_datetime(since_ms), at__lte=to_datetime(at_ms)
    )
    starts: defaultdict[str, list[int]] = defaultdict(list)
    for labels, at in fired.order_by("at").values_list("labels", "at").iterator():
        service = labels.get(service_label, "") if service_label else ""
        if service or not service_label:
            starts[service].append(from_datetime(at))
    if not starts:
        return {}
    began_ms = min(times[0] for times in starts.values())
    most = sorted(starts, key=lambda name: (-len(starts[name]), name))[:MAX_SERVICES]
    return {name: _known(np.array(starts[name], np.int64), began_ms, at_ms) for name in most}


def _known(times: Ints, began_ms: int, at_ms: int) -> Incidents:
    found = onsets(times, np.ones(len(times), bool))
    return Incidents(began_ms, at_ms, found, found, began_ms)


def _at(group: ModelGroup, service: str, past: Incidents, tick: int) -> Iterator[Output]:
    named = label_set({group.service_label: service} if service else {})
    for horizon in HORIZONS_H:
        prior = shipped_prior()[horizon]
        model = learn(past, horizon, prior)
        probability = float(model.probability(past, np.array([tick]))[0])
        told = horizon_label(horizon)
        for name, value in (
            ("incident_probability", probability),
            ("incident_probability_skill", past_skill(past, horizon, prior)),
        ):
            yield at_once(output_labels(named, group, name, horizon=told), tick, value)
