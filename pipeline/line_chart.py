"""Curves as inline SVG."""

import html
import math
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 340, 170, 40, 22, 8
# More points than pixels tell nothing more.
_MOST_POINTS = 200
# Share of the values at either end that may lie outside of the picture: those of the first steps often dwarf the rest.
_OUTSIDE = 0.02
_STYLES = ("first", "second")


def draw(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draws one or two curves over the same axes.

    Args:
        curves: points (step, value) by name, in the order of the steps; values that are not finite are left out.

    Returns:
        SVG; empty if there is no point.
    """
    reduced = {
        name: _reduce([(x, y) for x, y in points if math.isfinite(y)]) for name, points in curves.items() if points
    }
    values = sorted(y for points in reduced.values() for _, y in points)
    if not values:
        return ""
    outside = int(_OUTSIDE * len(values))
    low, high = values[outside], values[-1 - outside]
    if high == low:
        low, high = low - 0.5, high + 0.5
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    last = max(1, *(x for points in reduced.values() for x, _ in points))

    def place(x: float, y: float) -> str:
        right = _LEFT + (_WIDTH - _LEFT - 6) * x / last
        down = _TOP + (_HEIGHT - _BOTTOM - _TOP) * (high - min(max(y, low), high)) / (high - low)
        return f"{right:.1f},{down:.1f}"

    parts = []
    for tick in ticks:
        _, y = place(0, tick).split(",")
        parts.append(f"<line class='axis' x1='{_LEFT}' x2='{_WIDTH}' y1='{y}' y2='{y}'/>")
        parts.append(f"<text x='{_LEFT - 5}' y='{float(y) + 4:.1f}' text-anchor='end'>{tick:g}</text>")
    for x in _ticks(0, last)[1:]:
        right, _ = place(x, low).split(",")
        anchor = "end" if float(right) > _WIDTH - 30 else "middle"
        parts.append(f"<text x='{right}' y='{_HEIGHT - 5}' text-anchor='{anchor}'>{_short(x)}</text>")
    for (name, points), style in zip(reduced.items(), _STYLES, strict=False):
        path = " ".join(place(x, y) for x, y in points)
        # With round ends, so that a curve of one point is seen, too.
        parts.append(
            f"<polyline class='{style}' stroke-width='1.6' stroke-linecap='round' points='{path} {place(*points[-1])}'>"
            f"<title>{html.escape(name)}: {points[-1][1]:.4g} at the end</title></polyline>"
        )
    return f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'>{''.join(parts)}</svg>"


def _reduce(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Averages neighbours where there are too many points."""
    size = max(1, -(-len(points) // _MOST_POINTS))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, three to eight, from at or below `low` to at most `high`."""
    rough = (high - low) / 3
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (5, 2.5, 2, 1) if factor * power <= rough * (1 + 1e-9))
    return [round(number * step, 12) for number in range(math.floor(low / step), math.floor(high / step) + 1)]


def _short(number: float) -> str:
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"
