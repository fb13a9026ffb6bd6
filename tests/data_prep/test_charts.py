"""What the charts of the reports draw."""

import base64
import math

import matplotlib
import numpy as np
import pytest

from data_prep.report import charts

EDGES = (0, 64, 128, 1024, 2048, math.inf)


def test_a_histogram_stacks_series_and_leaves_out_empty_ends():
    figure = charts.histogram(EDGES, {"train": [0, 0, 8, 0, 2000], "val": [0, 0, 2, 0, 0]})
    (axes,) = figure.axes
    bars = {(bar.get_x(), bar.get_y()): bar.get_height() for bar in axes.patches if bar.get_height()}
    assert bars == {(2, 0): 8, (2, 8): 2, (4, 0): 2000}
    assert [label.get_text() for label in axes.texts] == ["", "10", "", "2,000"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["64", "128", "1K", "2K"]


def test_curves_show_their_points():
    figure = charts.curves({"up": [(step, step / 10) for step in range(101)], "down": [(0, 10.0), (100, 0.0)]})
    up, down = figure.axes[0].lines
    assert up.get_label() == "up" and down.get_xydata().tolist() == [[0, 10], [100, 0]]
    np.testing.assert_allclose(up.get_ydata(), np.arange(101) / 10)
    assert up.get_color() != down.get_color()


def test_many_points_are_averaged_and_the_first_steps_do_not_flatten_the_rest():
    points = [(step, 1000.0 if step < 10 else 1.0 + step / 10_000) for step in range(10_000)]
    (axes,) = charts.curves({"loss": points}).axes
    steps, values = axes.lines[0].get_data()
    assert len(steps) <= 200 and steps[-1] == 9999
    assert values[-1] == pytest.approx(1.9975, abs=0.001)  # the mean of the last 50
    assert axes.get_ylim()[1] < 3


def test_what_is_not_finite_is_left_out_and_nothing_is_nothing():
    assert charts.curves({"loss": []}) is None and charts.curves({"loss": [(1, math.nan)]}) is None
    for points in ([(0, 2.0)], [(5, 0.0), (6, math.inf)], [(0, -1e-12), (3, 1e-12)]):
        (axes,) = charts.curves({"loss": points, "empty": []}).axes
        assert [line.get_xydata().tolist() for line in axes.lines] == [
            [[step, value] for step, value in points if math.isfinite(value)]
        ]
        assert np.isfinite(axes.get_ylim()).all()


def test_a_chart_is_the_same_file_every_time_whatever_the_users_style(monkeypatch):
    def draw():
        return charts.address(charts.histogram(EDGES, {"train": [1, 2, 3, 0, 0]}))

    first = draw()
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)
    assert draw() == first
    assert matplotlib.rcParams["font.size"] == 30
    svg = base64.b64decode(first.removeprefix("data:image/svg+xml;base64,")).decode()
    assert "<svg" in svg and "<dc:date>" not in svg
