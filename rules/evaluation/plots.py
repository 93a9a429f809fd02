"""Series as a picture: lines, bands around them, a threshold, intervals shaded. In: a `Plot`. Out: SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Final

from alertsite.core.clock import to_datetime
from alertsite.core.labels import LabelSet, format_labels
from alertsite.core.samples import Ints
from rules.evaluation.scoring import Span
from rules.language.parser import parse
from rules.language.syntax import COMPARISONS, Binary, Expr, Number

WIDTH: Final = 900
HEIGHT: Final = 320
LEFT, RIGHT, TOP, BOTTOM = 60, 40, 16, 36
LEGEND_HEIGHT: Final = 18
MAX_LEGEND: Final = 100
_COLOURS: Final = ("#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#7f7f7f")
BAND_COLOUR: Final = "#2ca02c"


@dataclass(frozen=True, slots=True)
class Line:
    """One series. Shape (t,) as `Plot.times_ms`; None where there is no value."""

    labels: LabelSet
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between two series, each of shape (t,) as `Plot.times_ms`; broken where either is None."""

    name: str
    lower: Sequence[float | None]
    upper: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn. `legend` says below it which line is which, for plots of a few lines."""

    times_ms: Ints
    lines: Sequence[Line]
    threshold: float | None = None
    firing: Sequence[Span] = field(default_factory=tuple)
    bands: Sequence[Band] = ()
    legend: bool = False


def threshold_of(text: str) -> tuple[Expr, float | None]:
    """What a rule's expression compares, and with which constant; without one, the expression itself."""
    expr = parse(text)
    if isinstance(expr, Binary) and expr.op in COMPARISONS:
        if isinstance(expr.right, Number):
            return expr.left, expr.right.value
        if isinstance(expr.left, Number):
            return expr.right, expr.left.value
    return expr, None


def draw(plot: Plot) -> str:
    """The plot as a stand-alone SVG document."""
    scale = _Scale.over(plot)
    legend = list(_legend(plot)) if plot.legend else []
    height = HEIGHT + LEGEND_HEIGHT * len(legend)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
        ),
        *_shades(plot, scale),
        *(_area(band, plot, scale) for band in plot.bands),
        *_axes(scale),
        *_threshold(plot, scale),
        *(_path(line, plot, scale, number) for number, line in enumerate(plot.lines)),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Scale:
    """Times and values to places on the page."""

    start_ms: int
    end_ms: int
    low: float
    high: float

    @classmethod
    def over(cls, plot: Plot) -> _Scale:
        """A scale that holds every line and the threshold, with a margin."""
        drawn = [line.values for line in plot.lines]
        drawn += [edge for band in plot.bands for edge in (band.lower, band.upper)]
        values = [value for each in drawn for value in each if value is not None]
        if plot.threshold is not None:
            values.append(plot.threshold)
        values = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(values), max(values)
        margin = (high - low) * 0.05 or max(abs(high) * 0.05, 1.0)
        start_ms, end_ms = int(plot.times_ms[0]), int(plot.times_ms[-1])
        return cls(start_ms, max(end_ms, start_ms + 1), low - margin, high + margin)

    def x(self, at_ms: float) -> float:
        share = (at_ms - self.start_ms) / (self.end_ms - self.start_ms)
        return round(LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _shades(plot: Plot, scale: _Scale) -> Iterator[str]:
    for span in plot.firing:
        left, right = scale.x(span.start_ms), scale.x(span.end_ms)
        yield (
            f'<rect class="firing" x="{left}" y="{TOP}" width="{max(round(right - left, 1), 1)}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="#d62728" fill-opacity="0.15"/>'
        )


def _area(band: Band, plot: Plot, scale: _Scale) -> str:
    """Closed shapes, one a run of times at which both edges are known."""
    shapes: list[str] = []
    run: list[tuple[float, float, float]] = []
    for at_ms, lower, upper in [
        *zip(plot.times_ms.tolist(), band.lower, band.upper, strict=True),
        (0, None, None),
    ]:
        if lower is not None and upper is not None and math.isfinite(lower) and math.isfinite(upper):
            run.append((scale.x(at_ms), scale.y(lower), scale.y(upper)))
        elif run:
            there = "L".join(f"{x} {high}" for x, _, high in run)
            back = "L".join(f"{x} {low}" for x, low, _ in reversed(run))
            shapes.append(f"M{there}L{back}Z")
            run = []
    title = escape(band.name)
    return (
        f'<path class="band" d="{"".join(shapes)}" fill="{BAND_COLOUR}" fill-opacity="0.15">'
        f"<title>{title}</title></path>"
    )


def _legend(plot: Plot) -> Iterator[str]:
    """A row each for lines, bands and what is shaded."""
    rows = [
        (_COLOURS[n % len(_COLOURS)], 3, 1.0, format_labels(one.labels)) for n, one in enumerate(plot.lines)
    ]
    rows += [(BAND_COLOUR, 10, 0.3, band.name) for band in plot.bands]
    if plot.threshold is not None:
        rows.append(("#d62728", 1, 1.0, f"threshold {plot.threshold:g}"))
    if plot.firing:
        rows.append(("#d62728", 10, 0.3, "anomalous"))
    for number, (colour, thickness, opacity, text) in enumerate(rows):
        middle = HEIGHT + LEGEND_HEIGHT * number
        shown = text if len(text) <= MAX_LEGEND else f"{text[:MAX_LEGEND]}…"
        yield (
            f'<rect x="{LEFT}" y="{middle - thickness / 2}" width="18" height="{thickness}" fill="{colour}" '
            f'fill-opacity="{opacity}"/>'
            f'<text class="legend" x="{LEFT + 26}" y="{middle + 4}">{escape(shown)}</text>'
        )


def _axes(scale: _Scale) -> Iterator[str]:
    floor = HEIGHT - BOTTOM
    yield f'<path d="M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}" fill="none" stroke="#444"/>'
    for value in round_values(scale.low, scale.high):
        yield f'<text x="{LEFT - 6}" y="{scale.y(value) + 4}" text-anchor="end">{value:.4g}</text>'
    for step in range(5):
        at_ms = scale.start_ms + (scale.end_ms - scale.start_ms) * step // 4
        moment = to_datetime(at_ms).strftime("%m-%d %H:%M")
        yield f'<text x="{scale.x(at_ms)}" y="{floor + 16}" text-anchor="middle">{moment}</text>'


def round_values(low: float, high: float) -> list[float]:
    """Three to seven values between two, spaced by 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 5
    if not math.isfinite(rough):
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _threshold(plot: Plot, scale: _Scale) -> Iterator[str]:
    if plot.threshold is not None and math.isfinite(plot.threshold):
        height = scale.y(plot.threshold)
        yield (
            f'<path class="threshold" d="M{LEFT} {height}H{WIDTH - RIGHT}" stroke="#d62728" '
            'stroke-dasharray="6 4"/>'
        )


def _path(line: Line, plot: Plot, scale: _Scale, number: int) -> str:
    """The series as a path that is broken where it has no value; its labels as the tip."""
    steps: list[str] = []
    drawn = [value is not None and math.isfinite(value) for value in line.values]
    for (at_ms, value), (before, here) in zip(
        zip(plot.times_ms.tolist(), line.values, strict=True), pairwise([False, *drawn]), strict=True
    ):
        if here and value is not None:
            steps.append(f"{'L' if before else 'M'}{scale.x(at_ms)} {scale.y(value)}")
    colour = _COLOURS[number % len(_COLOURS)]
    title = escape(format_labels(line.labels))
    return f'<path d="{"".join(steps)}" fill="none" stroke="{colour}"><title>{title}</title></path>'
