"""How likely alerts are within a time, which ones, why, and how far to trust it.

In: a tenant, what is known of its metrics now, a horizon. Out: probabilities with what drives them. Each
active rule that compares an expression with a constant is foretold from stored history, or from what was
given; beside the rules stands the rate of the tenant's own alerts. Refused: a horizon beyond a week, and
values that are no numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import InvalidParameter, PlatformError
from alertsite.core.labels import METRIC_NAME
from alertsite.core.samples import Floats
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from ml.forecasting.combination import forecast
from ml.forecasting.crossing import ABOVE, BELOW, crossing_chance
from ml.forecasting.incident_probability import (
    HORIZONS_H,
    HOUR_MS,
    Incidents,
    learn,
    log_odds,
    past_skill,
)
from ml.forecasting.protocol import History
from ml.forecasting.seasonal import SeasonalBlend
from ml.learning.incidents import shipped_prior
from ml.services.foretelling import DAY, metric_of
from ml.services.reading import read_grid
from ml.services.telling_incidents import incidents_of
from rules.language.format import format_expr
from rules.language.parser import parse
from rules.language.syntax import Binary, Expr, Number, Selector
from rules.models import Rule

MAX_HORIZON_S: Final = 7 * 86_400
MAX_VALUES: Final = 10_000
MAX_RULES: Final = 100
MAX_DRIVERS: Final = 10
HISTORY_HOURS: Final = 14 * DAY
FULL_TRUST_DAYS: Final = 28
SURE: Final = 0.999
HALF: Final = 0.5
MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

Given = Mapping[str, float | Sequence[float]]
"""Values by name of metric: the value now, or values an hour apart of which the last is now's."""


@dataclass(frozen=True, slots=True)
class PredictedAlert:
    """A rule, how probable it is that it fires within the horizon, and when.

    `at` is the first hour at which it is more likely than not, else the likeliest.
    """

    rule: str
    probability: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Driver:
    """What moves the probability: a rule with its expected value, or a trait of the past; in log odds."""

    name: str
    effect: float


@dataclass(frozen=True, slots=True)
class Trust:
    """From 0, a guess, to 1, with the reasons."""

    score: float
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The probability that any alert begins to fire within the horizon, and what it is made of.

    It is the larger of what the rules and what the past alone say: the two are not independent.
    """

    alert_probability: float
    predicted_alerts: list[PredictedAlert]
    drivers: list[Driver]
    trust: Trust


@dataclass(frozen=True, slots=True)
class _Foretold:
    """A rule, what drives it, and the hours of history it was told from."""

    alert: PredictedAlert
    driver: Driver
    hours: int


@dataclass(frozen=True, slots=True)
class _Condition:
    """`expr operator bound`."""

    expr: Expr
    operator: str
    bound: float


def predict_alert_likelihood(tenant_id: UUID, metrics: Given, *, horizon_s: int, clock: Clock) -> Likelihood:
    """How likely it is that an alert begins to fire within `horizon_s` seconds.

    Raises
    ------
    InvalidParameter
        If the horizon is not from an hour to a week, or a metric has no finite number.
    """
    if not HOUR_MS // 1000 <= horizon_s <= MAX_HORIZON_S:
        raise InvalidParameter("horizon_s", horizon_s, f"{HOUR_MS // 1000} to {MAX_HORIZON_S}")
    given = {name: _checked(name, values) for name, values in metrics.items()}
    now_ms, hours = clock.now_ms(), horizon_s * 1000 // HOUR_MS
    rules = list(
        Rule.objects.for_tenant(tenant_id).filter(kind=Rule.Kind.ALERTING, state=Rule.State.ACTIVE)[
            :MAX_RULES
        ]
    )
    past = incidents_of(tenant_id, "", now_ms).get("", _nothing(now_ms))
    usual, pushes, skill = _by_past(past, now_ms, hours)
    foretold = [one for rule in rules if (one := _foretold(tenant_id, rule, given, (now_ms, hours), usual))]
    foretold.sort(key=lambda one: -one.alert.probability)
    drivers = sorted([*(one.driver for one in foretold), *pushes], key=lambda one: -abs(one.effect))
    return Likelihood(
        alert_probability=max([usual, *(one.alert.probability for one in foretold)]),
        predicted_alerts=[one.alert for one in foretold],
        drivers=drivers[:MAX_DRIVERS],
        trust=_trust(past, skill, len(rules), foretold),
    )


def _checked(name: str, values: float | Sequence[float]) -> Floats:
    found = np.atleast_1d(np.asarray(values, np.float64))
    if found.ndim != 1 or not 0 < len(found) <= MAX_VALUES or not np.isfinite(found).all():
        raise InvalidParameter(f"metrics[{name}]", values, f"1 to {MAX_VALUES} finite numbers")
    return found


def _nothing(now_ms: int) -> Incidents:
    empty = np.zeros(0, np.int64)
    return Incidents(now_ms, now_ms, empty, empty, now_ms)


def _by_past(past: Incidents, now_ms: int, hours: int) -> tuple[float, list[Driver], float]:
    """The probability by the tenant's own alerts, what moves it off the base rate, and its measured skill.

    Between the horizons that are learned the chance of each hour is taken as the same.
    """
    horizon = next(each for each in HORIZONS_H if hours <= each)
    model = learn(past, horizon, shipped_prior()[horizon])
    told = float(model.probability(past, np.array([now_ms]))[0])
    told = 1.0 - (1.0 - told) ** (hours / horizon)
    pushes = [Driver(f"past alerts: {name}", push) for name, push in model.drivers(past, now_ms)]
    return told, pushes, past_skill(past, horizon, shipped_prior()[horizon])


def _foretold(
    tenant_id: UUID, rule: Rule, given: Mapping[str, Floats], span: tuple[int, int], usual: float
) -> _Foretold | None:
    """None where the rule is no comparison with a constant, or nothing is known of it."""
    now_ms, hours = span
    condition = _condition(rule.expr)
    values = None if condition is None else _values(tenant_id, condition.expr, given, now_ms)
    if condition is None or values is None:
        return None
    told = forecast(SeasonalBlend(), History(values, DAY, now_ms // HOUR_MS + 1 - values.shape[1]), hours)
    chances = crossing_chance(told, condition.operator, condition.bound)
    series, ahead = np.unravel_index(int(np.argmax(chances)), chances.shape)
    first = int(np.argmax(chances[series] > HALF)) if chances[series, ahead] > HALF else int(ahead)
    # Firing is late by the rule's own waiting time.
    at_ms = now_ms + (first + 1) * HOUR_MS + rule.hold_for_s * 1000
    probability = float(np.clip(chances[series, ahead], 1.0 - SURE, SURE))
    name = (
        f"rule {rule.name}: {values[series, -1]:.4g} now, {told.expected[series, ahead]:.4g} expected, "
        f"fires at {condition.operator} {condition.bound:.4g}"
    )
    alert = PredictedAlert(rule.name, probability, to_datetime(at_ms))
    known = int(np.isfinite(values[series]).sum())
    return _Foretold(alert, Driver(name, log_odds(probability) - log_odds(usual)), known)


def _condition(text: str) -> _Condition | None:
    try:
        expr = parse(text)
    except PlatformError:
        return None
    if not isinstance(expr, Binary) or expr.op not in ABOVE | BELOW:
        return None
    if isinstance(expr.right, Number):
        return _Condition(expr.left, expr.op, expr.right.value)
    if isinstance(expr.left, Number):
        return _Condition(expr.right, MIRRORED[expr.op], expr.left.value)
    return None


def _values(tenant_id: UUID, expr: Expr, given: Mapping[str, Floats], now_ms: int) -> Floats | None:
    """Values of hours, shape (n_series, n_hours), of which the last are those given; None without any."""
    text = format_expr(expr)
    name = metric_of(text).get(METRIC_NAME, text) if isinstance(expr, Selector) else text
    own = given.get(name)
    ticks = range(now_ms - (HISTORY_HOURS - 1) * HOUR_MS, now_ms + 1, HOUR_MS)
    try:
        found = read_grid(tenant_id, text, ticks, now_ms=now_ms)
    except PlatformError:
        found = None
    stored = None if found is None or not found.labels else found.since_first_sample().values
    if own is None:
        return stored
    if stored is None or len(own) >= stored.shape[1]:
        return own[None]
    stored = stored.copy()
    stored[:, -len(own) :] = own
    return stored


def _trust(past: Incidents, skill: float, rules: int, foretold: Sequence[_Foretold]) -> Trust:
    parts = list(_trust_parts(past, skill, rules, foretold))
    return Trust(float(np.mean([score for score, _ in parts])), [reason for _, reason in parts])


def _trust_parts(
    past: Incidents, skill: float, rules: int, foretold: Sequence[_Foretold]
) -> Iterator[tuple[float, str]]:
    """Shares of what full trust would need, each with its reason."""
    days = past.hours / 24.0
    yield min(days / FULL_TRUST_DAYS, 1.0), f"alerts are known for {days:.0f} of {FULL_TRUST_DAYS} days"
    if np.isfinite(skill):
        yield float(np.clip(0.5 + skill, 0.0, 1.0)), f"Brier skill of {skill:+.2f} on the tenant's own past"
    else:
        yield 0.0, "no skill could be measured on the tenant's own past"
    share = len(foretold) / rules if rules else 0.0
    yield share, f"{len(foretold)} of {rules} active rules compare a known value with a constant"
    hours = float(np.mean([one.hours for one in foretold])) if foretold else 0.0
    yield min(hours / HISTORY_HOURS, 1.0), f"their values are known for {hours:.0f} of {HISTORY_HOURS} hours"


def predict_for_tenant(slug: str, metrics: Given, *, horizon_s: int, clock: Clock) -> dict[str, Any]:
    """As `predict_alert_likelihood`, for a tenant by its short name, as plain values.

    Raises
    ------
    InvalidParameter
        If there is no such tenant.
    """
    with platform_scope():
        tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise InvalidParameter("tenant", slug, "the short name of a tenant")
    with tenant_scope(tenant.pk):
        return asdict(predict_alert_likelihood(tenant.pk, metrics, horizon_s=horizon_s, clock=clock))
