"""What templates of a rule may ask: the tenant's series as of the tick, under the limits of its queries."""

from __future__ import annotations

from django.conf import settings

from alertsite.core.labels import LabelSet
from rules.language.engine import EvaluationLimits, evaluate_instant
from rules.language.errors import EvaluationError
from rules.language.plan import plan
from rules.notify.templates import Query, Sample, TemplateExpander
from rules.series.protocols import SeriesReader


def rule_templates(reader: SeriesReader, limits: EvaluationLimits, at_ms: int) -> TemplateExpander:
    """An expander for one tick. Its `query` sees what the tick's rules see."""
    query = template_query(reader, limits, at_ms)
    return TemplateExpander(external_url=settings.PUBLIC_URL, query=query, now_ms=at_ms)


def template_query(reader: SeriesReader, limits: EvaluationLimits, at_ms: int) -> Query:
    """The `query` of templates: an expression's value at one time, a sample each series."""

    def query(text: str) -> list[Sample]:
        """The samples of an expression at this moment."""
        result = evaluate_instant(plan(text), reader, at_ms, limits)
        if result.kind == "string":
            return [Sample({"__value__": result.text}, 0.0)]
        if result.kind == "matrix":
            raise EvaluationError("a template needs one value a series, this expression yields ranges")
        return [
            _sample(labels, value)
            for labels, value in zip(result.labels, result.values.tolist(), strict=True)
        ]

    return query


def _sample(labels: LabelSet, value: float) -> Sample:
    return Sample(dict(labels), value)
