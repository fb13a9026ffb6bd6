"""Paths through styles or latent codes, and the pace at which they are walked."""

from collections.abc import Callable, Iterator

import numpy as np


def ease(share: float) -> float:
    """Returns the share of the way done at a share of the time: slow at both ends, fast between (smoothstep)."""
    return share * share * (3 - 2 * share)


def timetable(points: int, frames: int, loop: bool) -> Iterator[tuple[int, int, float]]:
    """Says where on the way each frame is.

    Args:
        points: number of points that are visited in order, at least 2.
        frames: frames from one point to the next.
        loop: whether the way goes on from the last point to the first. The frame after the last is then the first one,
            so that a player that repeats the video shows no seam; otherwise the last frame is the last point.

    Yields:
        For each frame the number of the point left, that of the one approached, and the share of the way between them.
    """
    for start in range(points if loop else points - 1):
        for frame in range(frames):
            yield start, (start + 1) % points, ease(frame / frames)
    if not loop:
        yield points - 2, points - 1, 1.0


def linear(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Returns the point at a share of the straight line between two; exactly the ends at 0 and 1."""
    return (1 - share) * start + share * end


def spherical(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Returns the point at a share of the arc between two; exactly the ends at 0 and 1.

    The direction turns at constant speed (slerp) and the length changes linearly. Latent codes are drawn from a normal
    distribution, whose codes nearly all have about the same length; a straight line between two of them would pass much
    nearer to the origin than any code that the mapping network was trained with.

    Args:
        start: [K], not zero.
        end: [K], not zero.
        share: 0 to 1.

    Returns:
        [K].
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    directions = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(np.dot(*directions), -1.0, 1.0))
    if share in (0, 1) or np.sin(angle) < 1e-6:  # in one direction, or opposite, where every arc would do
        return linear(start, end, share)
    turned = (np.sin((1 - share) * angle) * directions[0] + np.sin(share * angle) * directions[1]) / np.sin(angle)
    return linear(*lengths, share) * turned


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
