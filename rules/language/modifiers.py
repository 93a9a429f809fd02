"""Windows and modifiers. In: an expression. Out: it, modified. Refused: where they do not apply."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from rules.language.syntax import (
    AtModifier,
    Duration,
    Expr,
    Extension,
    RangeSelector,
    Selector,
    Subquery,
    ValueType,
)
from rules.language.types import TypeMismatch, type_of

_Pinnable = TypeVar("_Pinnable", Selector, Subquery)

_ONLY_AFTER_SELECTORS = (
    "{} modifier must be preceded by an instant vector selector or range vector selector or a subquery"
)


def range_selector(expr: Expr, window: Duration) -> RangeSelector:
    """`expr[window]`."""
    if not isinstance(expr, Selector):
        raise TypeMismatch("ranges only allowed for vector selectors")
    if expr.offset != 0:
        raise TypeMismatch("no offset modifiers allowed before range")
    if expr.at is not None:
        raise TypeMismatch("no @ modifiers allowed before range")
    return RangeSelector(expr, window)


def subquery(expr: Expr, window: Duration, step: Duration | None) -> Subquery:
    """`expr[window:step]`."""
    found = type_of(expr)
    if found is not ValueType.VECTOR:
        raise TypeMismatch(f"subquery is only allowed on instant vector, got {found.value} instead")
    return Subquery(expr, window, step)


def with_offset(expr: Expr, offset: Duration) -> Expr:
    """`expr offset …`."""
    match expr:
        case RangeSelector(selector=Selector() as selector):
            return replace(expr, selector=_shifted(selector, offset))
        case Selector():
            return _shifted(expr, offset)
        case Subquery():
            return _shifted(expr, offset)
    raise TypeMismatch(_ONLY_AFTER_SELECTORS.format("offset"))


def _shifted(expr: _Pinnable, offset: Duration) -> _Pinnable:
    if expr.offset != 0:
        raise TypeMismatch("offset may not be set multiple times")
    return replace(expr, offset=offset)


def with_at(expr: Expr, at: AtModifier) -> Expr:
    """`expr @ …`."""
    match expr:
        case RangeSelector(selector=Selector() as selector):
            return replace(expr, selector=_pinned(selector, at))
        case Selector():
            return _pinned(expr, at)
        case Subquery():
            return _pinned(expr, at)
    raise TypeMismatch(_ONLY_AFTER_SELECTORS.format("@"))


def _pinned(expr: _Pinnable, at: AtModifier) -> _Pinnable:
    if expr.at is not None:
        raise TypeMismatch("@ <timestamp> may not be set multiple times")
    return replace(expr, at=at)


def with_extension(expr: Expr, extension: Extension) -> Expr:
    """`expr anchored` or `expr smoothed`."""
    match expr:
        case RangeSelector(selector=Selector() as selector):
            return replace(expr, selector=_extended(selector, extension))
        case Selector():
            return _extended(expr, extension)
        case Subquery():
            raise TypeMismatch(f"{extension} modifier is not supported for subqueries")
    raise TypeMismatch(f"{extension} modifier must be preceded by a selector")


def _extended(selector: Selector, extension: Extension) -> Selector:
    if selector.extension not in {None, extension}:
        raise TypeMismatch("anchored and smoothed modifiers cannot be used together")
    return replace(selector, extension=extension)
