"""Charts of the reports, drawn with Matplotlib and held by the page as SVG."""

import io
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from data_prep.report.rendering import data_url

# For the first and the second series; like the grey of the axes, they can be read on light and on dark pages.
COLOURS = ("#3b6fd4", "#e0913a")
_GREY = "#7d8694"
_STYLE = {
    "figure.figsize": (3.9, 1.9),  # inches
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "text.color": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.edgecolor": _GREY,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "grid.color": _GREY,
    "grid.alpha": 0.3,
    "savefig.transparent": True,
    "svg.hashsalt": "stargan",  # the same chart is the same file
}
# More points than pixels add nothing.
_MAX_POINTS = 200
# Share of the values that may lie outside of the axes at either end: those of the first steps often dwarf the rest.
_OUTSIDE = 0.02


def histogram(edges: Sequence[float], counts: Mapping[str, Sequence[int]]) -> Figure:
    """Draws stacked bars of equal width, without the empty ends.

    Args:
        edges: where the bars begin and end, rising; the last may be infinite.
        counts: how many values lie in each bar, by name of the series, from bottom to top; at most two series.

    Returns:
        The figure; there must be at least one value.
    """
    totals = np.sum(list(counts.values()), axis=0)
    filled = np.flatnonzero(totals)
    shown = range(max(0, filled[0] - 1), min(len(totals), filled[-1] + 2))
    with _style():
        figure, axes = _figure()
        below = np.zeros(len(shown), int)
        for (name, values), colour in zip(counts.items(), COLOURS, strict=False):
            heights = np.asarray(values)[shown]
            bars = axes.bar(shown, heights, 0.94, below, align="edge", color=colour, label=name)
            below += heights
        axes.bar_label(bars, [f"{total:,}" if total else "" for total in below], padding=2, fontsize=9)
        every = math.ceil(len(shown) / 7)
        axes.set_xticks(shown[::every], [format_edge(edges[index]) for index in shown[::every]])
        axes.set_yticks([])
    return figure


def curves(points: Mapping[str, Sequence[tuple[float, float]]]) -> Figure | None:
    """Draws one or two curves over training steps.

    Args:
        points: step and value of each point, in the order of the steps, by name of the curve; values that are not
            finite are left out.

    Returns:
        The figure; None if there is no point.
    """
    reduced = {name: _reduce([point for point in curve if math.isfinite(point[1])]) for name, curve in points.items()}
    reduced = {name: curve for name, curve in reduced.items() if len(curve)}
    if not reduced:
        return None
    with _style():
        figure, axes = _figure()
        for (name, curve), colour in zip(reduced.items(), COLOURS, strict=False):
            axes.plot(*curve.T, color=colour, linewidth=1.3, label=name, marker="." if len(curve) == 1 else None)
        values = np.sort(np.concatenate([curve[:, 1] for curve in reduced.values()]))
        outside = int(_OUTSIDE * len(values))
        low, high = values[outside], values[-1 - outside]
        margin = 0.05 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlim(left=0)
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    return figure


def address(figure: Figure) -> str:
    """Returns a figure as the data URL of an SVG; the same figure gives the same."""
    file = io.BytesIO()
    with _style():
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return data_url(file.getvalue(), "image/svg+xml")


def format_edge(value: float) -> str:
    """Returns an edge of a bar as text, multiples of 1024 with a K."""
    return f"{value / 1024:g}K" if value >= 1024 and value % 1024 == 0 else f"{value:g}"


def _style() -> AbstractContextManager[None]:
    return style.context(_STYLE, after_reset=True)  # whatever a user's matplotlibrc says


def _figure() -> tuple[Figure, Axes]:
    figure = Figure()  # without pyplot, which would look for a screen
    return figure, figure.add_subplot()


def _reduce(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Averages neighbours where there are too many points; returns [points, 2]."""
    size = max(1, math.ceil(len(points) / _MAX_POINTS))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return np.array([(group[-1][0], np.mean([value for _, value in group])) for group in groups]).reshape(-1, 2)
