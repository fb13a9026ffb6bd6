"""Paths through style or latent codes, and the pace along them."""

from collections.abc import Callable, Iterator

import numpy as np


def ease(share: float) -> float:
    """Returns the fraction of the way covered after a fraction of the time: slow at both ends (smoothstep)."""
    return share * share * (3 - 2 * share)


def timetable(points: int, frames: int, loop: bool) -> Iterator[tuple[int, int, float]]:
    """Says where on the path each frame is.

    Args:
        points: number of points that are visited in order, at least 2.
        frames: frames from one point to the next.
        loop: whether the path returns from the last point to the first. The frame after the last is then the first one,
            so a player that repeats the video shows no seam; otherwise the last frame is the last point.

    Yields:
        For each frame the index of the point behind it, that of the point ahead, and the fraction of the way between.
    """
    for start in range(points if loop else points - 1):
        for frame in range(frames):
            yield start, (start + 1) % points, ease(frame / frames)
    if not loop:
        yield points - 2, points - 1, 1.0


def linear(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Interpolates along a straight line; `share` 0 and 1 give exactly the ends."""
    return (1 - share) * start + share * end


def spherical(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Interpolates along an arc; `share` 0 and 1 give exactly the ends.

    The direction turns at constant speed (slerp) and the length changes linearly. Latent codes are drawn from a normal
    distribution, and nearly all have about the same length; a straight line between two of them would pass much closer
    to the origin than any code that the mapping network has seen in training.

    Args:
        start: [K], not zero.
        end: [K], not zero.
        share: 0 to 1.

    Returns:
        [K].
    """
    start_length, end_length = np.linalg.norm(start), np.linalg.norm(end)
    directions = start / start_length, end / end_length
    angle = np.arccos(np.clip(np.dot(*directions), -1.0, 1.0))
    if share in (0, 1) or np.sin(angle) < 1e-6:  # parallel, or opposite, where the arc is not unique
        return linear(start, end, share)
    turned = (np.sin((1 - share) * angle) * directions[0] + np.sin(share * angle) * directions[1]) / np.sin(angle)
    return ((1 - share) * start_length + share * end_length) * turned


def walk(
    points: np.ndarray,
    frames: int,
    loop: bool,
    between: Callable[[np.ndarray, np.ndarray, float], np.ndarray],
) -> np.ndarray:
    """Returns the points of all frames.

    Args:
        points: [P, K], visited in order.
        frames: frames from one point to the next.
        loop: see `timetable`.
        between: `linear` or `spherical`.

    Returns:
        float32 [F, K]: F is P * frames with `loop`, and (P - 1) * frames + 1 without.
    """
    exact = points.astype(np.float64)
    steps = timetable(len(points), frames, loop)
    return np.stack([between(exact[start], exact[end], share) for start, end, share in steps]).astype(np.float32)
