import numpy as np
import pytest

from stargan_tf.inference.interpolation import ease, linear, spherical, timetable, walk

POINTS = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)


def test_the_pace_is_slow_at_both_ends_and_symmetric():
    shares = np.array([ease(share) for share in np.linspace(0, 1, 101)])
    assert shares[0] == 0 and shares[-1] == 1
    np.testing.assert_allclose(shares + shares[::-1], 1)
    steps = np.diff(shares)
    assert (steps > 0).all() and steps[:3].max() < 0.1 * steps.max() and steps.argmax() in (49, 50)


def test_a_loop_visits_every_point_and_goes_on_where_it_began():
    steps = list(timetable(3, 4, loop=True))
    assert len(steps) == 12
    assert [step[:2] for step in steps[::4]] == [(0, 1), (1, 2), (2, 0)]
    assert [step[2] for step in steps[::4]] == [0, 0, 0]
    # What would be the next frame is the first one, and the last is as near to it as the second.
    assert steps[-1][2] == pytest.approx(1 - steps[1][2])


@pytest.mark.parametrize("between", [linear, spherical])
@pytest.mark.parametrize("loop", [True, False])
def test_points_are_visited_exactly(between, loop):
    way = walk(POINTS, 5, loop, between)
    assert way.dtype == np.float32 and len(way) == (15 if loop else 11)
    np.testing.assert_array_equal(way[[0, 5, 10]], POINTS)
    assert len(np.unique(way, axis=0)) == len(way)
    np.testing.assert_array_equal(way, walk(POINTS, 5, loop, between))


def test_an_arc_keeps_the_length_and_turns_at_constant_speed():
    start, end = np.array([3.0, 0, 0]), np.array([0, 3.0, 0])
    way = np.stack([spherical(start, end, share) for share in np.linspace(0, 1, 7)])
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 3)
    np.testing.assert_allclose(np.arctan2(way[:, 1], way[:, 0]), np.linspace(0, np.pi / 2, 7), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(spherical(start, 2 * end, 0.5)), 4.5)


def test_arcs_between_drawn_codes_stay_where_codes_are_drawn_and_lines_do_not():
    ends = np.random.default_rng(1).normal(size=(200, 2, 16))
    middle = [np.mean([np.linalg.norm(between(*pair, 0.5)) for pair in ends]) for between in (spherical, linear)]
    drawn = np.linalg.norm(ends, axis=-1).mean()
    assert middle[0] == pytest.approx(drawn, rel=0.01) and middle[1] < 0.8 * drawn


@pytest.mark.parametrize("end", [[2.0, 0.0], [-1.0, 0.0], [1.0, 1e-9]])
def test_codes_in_one_line_with_the_origin_have_a_way_between_them(end):
    way = np.stack([spherical(np.array([1.0, 0.0]), np.array(end), share) for share in (0.0, 0.5, 1.0)])
    assert np.isfinite(way).all()
    np.testing.assert_allclose(way[-1], end)
