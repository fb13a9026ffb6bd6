"""Geometry of faces: the similarity transform that aligns a face, and the aligned picture.

Points are (x, y) in pixels measured from the corner of a picture: the centre of its first pixel is (0.5, 0.5), and its
right edge is at its width. A transform is [2, 3]: a point p goes to transform[:, :2] @ p + transform[:, 2]. The 98
landmarks are those of WFLW; "left" is left in the picture.
"""

import math

import cv2
import numpy as np
from PIL import Image, ImageFilter

NUM_LANDMARKS = 98
# Mean landmarks are given in pixels of a square of this side, whatever the size of the pictures made with them.
MEAN_SIDE = 256

_LEFT_EYE = slice(60, 68)
_RIGHT_EYE = slice(68, 76)
_MOUTH_CORNERS = [76, 82, 88, 92]  # of the outer and the inner lips; they stay in place when the mouth opens

# Beyond the borders of a picture, as fractions of the result's side: the deviation of the blur, and the distance from
# the border at which the mirrored picture is fully blurred and fully its median colour.
_BLUR = 1 / 24
_BLURRED_AT = 1 / 24
_MEDIAN_AT = 1 / 4


class NotAFace(ValueError):
    """Landmarks are not arranged like those of a face; the message is the reason."""


def similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Finds the rotation, scale and translation that bring points closest to targets (least squares, no mirroring).

    Args:
        points: [..., N, 2], not all in one place.
        targets: [..., N, 2], which broadcasts against `points`.

    Returns:
        The transforms, [..., 2, 3].
    """
    # OpenCV's estimateAffinePartial2D takes one face at a time, drops outliers and is not exact. As complex numbers, a
    # similarity transform is p -> factor p + shift.
    p, q = _complex(points), _complex(targets)
    p_centre, q_centre = p.mean(-1, keepdims=True), q.mean(-1, keepdims=True)
    p, q = p - p_centre, q - q_centre
    factor = (p.conj() * q).sum(-1) / (np.abs(p) ** 2).sum(-1)
    shift = q_centre[..., 0] - factor * p_centre[..., 0]
    rows = [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Moves points.

    Args:
        transform: [..., 2, 3].
        points: [..., N, 2].

    Returns:
        [..., N, 2].
    """
    return points @ np.swapaxes(transform[..., :2], -1, -2) + transform[..., None, :, 2]


def invert(transform: np.ndarray) -> np.ndarray:
    """Returns the inverse [2, 3] of a transform."""
    linear = np.linalg.inv(transform[:, :2])
    return np.concatenate([linear, -linear @ transform[:, 2:]], axis=1)


def scale_of(transform: np.ndarray) -> float:
    """Returns the factor by which a similarity transform [2, 3] enlarges."""
    return float(np.hypot(*transform[:, 0]))


def anchors(landmarks: np.ndarray) -> np.ndarray:
    """Reduces a face to the centres of its left eye, its right eye, and its mouth.

    Args:
        landmarks: [..., 98, 2].

    Returns:
        [..., 3, 2].
    """
    groups = (_LEFT_EYE, _RIGHT_EYE, _MOUTH_CORNERS)
    return np.stack([landmarks[..., group, :].mean(-2) for group in groups], axis=-2)


def upright_square(landmarks: np.ndarray) -> np.ndarray:
    """Frames a face as those of CelebA-HQ are framed.

    The rule is that of "Progressive Growing of GANs" (1710.10196, appendix C): upright by the line of the eyes and the
    one from mouth to eyes, with equal weight; the centre a tenth of the way from the eyes down to the mouth; the side
    4 times the distance of the eyes or 3.6 times that from eyes to mouth, whichever is more.

    Args:
        landmarks: [98, 2].

    Returns:
        The transform from the face's square onto one of `MEAN_SIDE` pixels, [2, 3].

    Raises:
        NotAFace: eyes and mouth lie on one line, or are mirrored.
    """
    left, right, mouth = anchors(landmarks)
    eyes = (left + right) / 2
    across, up = right - left, eyes - mouth
    if not across[1] * up[0] - across[0] * up[1] > 0:  # also raised for NaN
        raise NotAFace("eyes and mouth do not lie as those of a face")
    centre = eyes - 0.1 * up
    side = max(4 * np.hypot(*across), 3.6 * np.hypot(*up))
    direction = across + np.array([-up[1], up[0]])
    direction = direction / np.hypot(*direction)
    half = side / 2 * np.stack([direction, [-direction[1], direction[0]]])  # to the right and down
    corners = np.stack([centre, centre + half[0], centre + half[1]])
    return similarity(corners, MEAN_SIDE * np.array([[0.5, 0.5], [1, 0.5], [0.5, 1]]))


def mean_landmarks(faces: np.ndarray) -> np.ndarray:
    """Finds the mean shape of faces by generalized Procrustes analysis, and frames it by `upright_square`.

    Each coordinate is the median over the faces, so a few faces with wrong landmarks do not move it.

    Args:
        faces: landmarks of each face in pixels of its own picture, [N, 98, 2].

    Returns:
        Landmarks in pixels of a square of `MEAN_SIDE`, [98, 2].

    Raises:
        NotAFace: the landmarks of one are not those of a face.
    """
    faces = np.stack([apply(upright_square(face), face) for face in np.asarray(faces, np.float64)])
    mean = np.median(faces, axis=0)
    for _ in range(100):
        closest = np.median(apply(similarity(faces, mean), faces), axis=0)
        previous, mean = mean, apply(upright_square(closest), closest)
        if np.abs(mean - previous).max() < 1e-6:
            break
    return mean


def alignment(landmarks: np.ndarray, mean: np.ndarray, image_size: int) -> np.ndarray:
    """Finds the transform that aligns a face, from its eyes and its mouth.

    Args:
        landmarks: in pixels of the picture, [98, 2].
        mean: mean landmarks in pixels of a square of `MEAN_SIDE`, [98, 2].
        image_size: side of the result in pixels.

    Returns:
        The transform from the picture to the result, [2, 3].
    """
    return similarity(anchors(landmarks), anchors(mean) * (image_size / MEAN_SIDE))


def warp(image: Image.Image, transform: np.ndarray, image_size: int) -> Image.Image:
    """Draws a picture under a similarity transform, with Lanczos filters and antialiasing.

    Beyond its borders the picture is mirrored and fades into its own blur and finally into its median colour, so that
    nothing sharp is invented; pixels within the borders are unaffected. A transform that maps pixels onto pixels copies
    them.

    Args:
        image: an RGB picture.
        transform: from the picture to the result, [2, 3].
        image_size: side of the result in pixels.

    Returns:
        An RGB picture, `image_size` square.
    """
    beyond = _distance_beyond_borders(image.size, transform, image_size)[..., None] / image_size
    # Filters, and the blur where one is needed, read pixels around the result.
    margin = 4 + (2 * math.ceil(_BLUR * image_size) if beyond.any() else 0)
    drawn = _draw(image, transform, image_size, margin)
    kept = slice(margin, margin + image_size)
    result = drawn[kept, kept]
    if beyond.any():
        filtered = _to_image(drawn).filter(ImageFilter.GaussianBlur(_BLUR * image_size))
        blurred = np.asarray(filtered, np.float32)[kept, kept]
        within = result[beyond[..., 0] == 0]
        median = np.median(within if len(within) else result.reshape(-1, 3), axis=0)
        result = result + _smooth_step(beyond / _BLURRED_AT) * (blurred - result)
        result = result + _smooth_step(beyond / _MEDIAN_AT) * (median - result)
    return _to_image(result)


def _draw(image: Image.Image, transform: np.ndarray, image_size: int, margin: int) -> np.ndarray:
    """Draws a picture, mirrored beyond its borders, with a margin on each side: [N, N, 3] float32, 0 to 255."""
    linear, shift = transform[:, :2], transform[:, 2]
    if scale_of(transform) < 1:
        # OpenCV's filters do not antialias: shrink first, to the resolution of the result.
        scale = scale_of(transform)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        linear = linear * np.divide(image.size, size)
        image = image.resize(size, Image.Resampling.LANCZOS)
    # OpenCV counts from the centre of the first pixel.
    shift = shift + linear @ [0.5, 0.5] - 0.5 + margin
    side = image_size + 2 * margin
    return cv2.warpAffine(
        np.asarray(image, np.float32),
        np.column_stack([linear, shift]),
        (side, side),
        flags=cv2.INTER_LANCZOS4,
        borderMode=cv2.BORDER_REFLECT,
    )


def _distance_beyond_borders(size: tuple[int, int], transform: np.ndarray, image_size: int) -> np.ndarray:
    """Returns how far outside the picture each pixel of the result lies, in pixels of the result; 0 within."""
    centres = np.arange(image_size) + 0.5
    grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    places = apply(invert(transform), grid)
    beyond = np.maximum(0, np.maximum(-places, places - np.array(size)))
    return (np.hypot(*beyond.T) * scale_of(transform)).reshape(image_size, image_size).astype(np.float32)


def _to_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def _smooth_step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _complex(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, np.float64)
    return points[..., 0] + 1j * points[..., 1]
