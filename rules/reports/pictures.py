"""Plots of reports: bars and lines as SVG. In: names and numbers. Out: stand-alone SVG, texts escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from rules.reports.document import shown

WIDTH: Final = 720
HEIGHT: Final = 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 28
BLUE: Final = "#1d4ed8"
RED: Final = "#b91c1c"
GREY: Final = "#6b7280"
_MARKS: Final = 8
"""Names below the axis, at most."""


def bars(names: Sequence[str], values: Sequence[float]) -> str:
    """A bar for each name, from zero; few of the names stand below."""
    top = max([*values, 1.0])
    width = (WIDTH - LEFT - RIGHT) / max(len(values), 1)
    parts = []
    for position, value in enumerate(values):
        height = value / top * (HEIGHT - TOP - BOTTOM)
        parts.append(
            f'<rect x="{LEFT + position * width + width * 0.1:.1f}" y="{HEIGHT - BOTTOM - height:.1f}" '
            f'width="{width * 0.8:.1f}" height="{height:.1f}" fill="{BLUE}"/>'
        )
    places = [LEFT + (position + 0.5) * width for position in range(len(names))]
    return _svg([*_scale(0.0, top), *parts, *_names(names, places)])


def line(names: Sequence[str], values: Sequence[float], *, floor: float) -> str:
    """A line over time with a dashed one at `floor`, below which it is red."""
    low, high = min([*values, floor]), max([*values, floor + 1e-9])
    last = max(len(values) - 1, 1)
    places = [LEFT + (WIDTH - LEFT - RIGHT) * position / last for position in range(len(values))]
    heights = [_height(value, low, high) for value in values]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True))
    colour = RED if values and values[-1] < floor else BLUE
    at_floor = _height(floor, low, high)
    parts = [
        (
            f'<path d="M{LEFT} {at_floor:.1f}H{WIDTH - RIGHT}" stroke="{RED}" stroke-dasharray="6 4" '
            'fill="none"/>'
        ),
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
    ]
    return _svg([*_scale(low, high), *parts, *_names(names, places)])


def _height(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _scale(low: float, high: float) -> Iterator[str]:
    for step in range(3):
        value = low + (high - low) * step / 2
        y = _height(value, low, high)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GREY}" stroke-opacity="0.3"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'


def _names(names: Sequence[str], places: Sequence[float]) -> Iterator[str]:
    every = -(-len(names) // _MARKS) if names else 1
    for name, x in list(zip(names, places, strict=True))[::every]:
        kept = min(max(x, LEFT + 20), WIDTH - RIGHT - 20)  # a name at the edge is not cut
        yield (
            f'<text x="{kept:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
            f"{escape(shown(name, 16))}</text>"
        )


def _svg(parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="{GREY}">'
    )
    return "\n".join([head, *parts, "</svg>"])
