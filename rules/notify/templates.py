"""Templates in labels and annotations, as Prometheus fills them.

A template's text goes in with an alert's labels and value; text comes out. A malformed template is refused
when it is saved (`TemplateMalformed`), a failing one when it is filled (`TemplateFailed`); both say where and
why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from rules.notify.gotemplate import alertmanager, prometheus
from rules.notify.gotemplate.alertmanager import ALERTMANAGER
from rules.notify.gotemplate.builtins import BUILTINS
from rules.notify.gotemplate.errors import TemplateFailed, TemplateMalformed
from rules.notify.gotemplate.evaluator import BY_EVALUATOR, Data, execute
from rules.notify.gotemplate.limits import TemplateLimits
from rules.notify.gotemplate.nodes import Template
from rules.notify.gotemplate.parser import parse
from rules.notify.gotemplate.prometheus import PROMETHEUS, Query
from rules.notify.gotemplate.values import Function, Sample, StringMap, Struct

FUNCTIONS: Final[Mapping[str, Function]] = {**ALERTMANAGER, **BUILTINS, **PROMETHEUS}
"""Functions that depend on nothing but their arguments."""
FUNCTION_NAMES: Final = (
    frozenset(FUNCTIONS) | BY_EVALUATOR | prometheus.OF_SURROUNDINGS | alertmanager.OF_SURROUNDINGS
)
VARIABLE_NAMES: Final = ("$labels", "$value", "$externalLabels", "$externalURL")
"""In the order of the fields of the data they stand for."""


@dataclass(slots=True)
class TemplateExpander:
    """Fills templates.

    Attributes
    ----------
    external_labels, external_url
        What `$externalLabels` and `$externalURL` stand for.
    query
        Answers the `query` function; without it the function fails.
    now_ms
        The evaluation's time, for `now` and `since`; milliseconds since the epoch.
    """

    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    query: Query | None = None
    now_ms: int = 0
    limits: TemplateLimits = field(default_factory=TemplateLimits)
    _functions: Mapping[str, Function] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._functions = {
            **FUNCTIONS,
            **prometheus.surrounding_functions(self.external_url, self.query),
            **alertmanager.time_functions(self.now_ms / 1000),
        }

    def expand(self, text: str, labels: Mapping[str, str], value: float) -> str:
        """The text with its actions replaced by what they come to.

        Raises
        ------
        TemplateMalformed, TemplateFailed
            With the position and the reason.
        """
        fields = {
            "Labels": StringMap(labels),
            "Value": value,
            "ExternalLabels": StringMap(self.external_labels),
            "ExternalURL": self.external_url,
        }
        variables = dict(zip(VARIABLE_NAMES, fields.values(), strict=True))
        data = Data(Struct("alert", fields), variables)
        # PostgreSQL stores no NUL: one that a template makes must not cost the whole tick.
        return execute(_compiled(text), data, self._functions, self.limits).replace("\0", "\ufffd")


def check_template(text: str) -> None:
    """Refuse a malformed template, an unknown function or a variable that is not defined.

    Raises
    ------
    TemplateMalformed
        With the position and the reason.
    """
    _compiled(text)


@lru_cache(maxsize=2048)
def _compiled(text: str) -> Template:
    return parse(text, FUNCTION_NAMES, VARIABLE_NAMES)


__all__ = ["Query", "Sample", "TemplateExpander", "TemplateFailed", "TemplateMalformed", "check_template"]
