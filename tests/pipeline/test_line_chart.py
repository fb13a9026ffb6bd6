import itertools
import math
import re

import pytest

from pipeline import line_chart


def points_of(svg):
    return [
        [tuple(map(float, pair.split(","))) for pair in path.split()] for path in re.findall(r"points='([^']*)'", svg)
    ]


def test_a_curve_rises_where_values_do():
    svg = line_chart.draw({"up": [(step, step / 10) for step in range(101)], "down": [(0, 10.0), (100, 0.0)]})
    up, down = points_of(svg)
    assert all(later[1] <= earlier[1] for earlier, later in itertools.pairwise(up))  # y is downwards
    assert up[0][1] == pytest.approx(down[-1][1], abs=4) and up[-1][1] == pytest.approx(down[0][1], abs=4)
    assert "up: 10 at the end" in svg


def test_many_points_are_averaged_and_the_first_steps_do_not_flatten_the_rest():
    points = [(step, 1000.0 if step < 10 else 1.0 + step / 10_000) for step in range(10_000)]
    (curve,) = points_of(line_chart.draw({"loss": points}))
    assert len(curve) <= 201
    assert curve[20][1] - curve[-1][1] > 80  # the slow rise is seen


def test_what_is_not_finite_is_left_out_and_nothing_is_nothing():
    assert line_chart.draw({"loss": []}) == "" and line_chart.draw({"loss": [(1, math.nan)]}) == ""
    for points in ([(0, 2.0)], [(5, 0.0), (6, math.inf)], [(0, -1e-12), (3, 1e-12)]):
        svg = line_chart.draw({"loss": points})
        assert len(points_of(svg)) == 1 and "nan" not in svg


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.003, 0.0071), (-3, 812), (0, 7000), (0.1, 0.35), (99.5, 100.5)])
def test_ticks_are_few_and_round(low, high):
    ticks = line_chart._ticks(low, high)
    assert 3 <= len(ticks) <= 9
    assert ticks[0] <= low and ticks[-1] <= high
    assert all(len(f"{tick:g}") <= 7 for tick in ticks)
