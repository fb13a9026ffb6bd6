"""The silhouette of the one object before a plain ground, found by its colour; no network is involved.

The ground's colour is the median of the border. What differs from it, in colour more than in brightness so that shadows
stay ground, is told from it by Otsu's threshold (1979, "A threshold selection method from gray-level histograms"); the
largest piece is the object.
"""

from collections.abc import Iterable

import cv2
import numpy as np

# Pixels along the edges whose median is the colour of the ground.
_BORDER = 3
# Weight of brightness beside colour, in CIE L*a*b*: a shadow changes little else.
_BRIGHTNESS = 0.12
# Mean difference of the ground from its colour, as a fraction of the object's, up to which the ground is plain.
_PLAIN = 0.15
# Smallest and largest share of a picture that an object has.
_LEAST, _MOST = 0.04, 0.9
# Side of the pieces of ground that a picture of the ground alone is laid of, and how far they stay off the object.
_PIECE, _MARGIN = 4, 2
GREY = 128


def find(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the object of each picture.

    Args:
        images: [N, H, W, 3] uint8, of about 64 px.

    Returns:
        Whether a pixel is the object's, [N, H, W] bool; and whether the ground is plain and the object neither tiny nor
        the whole picture, so that the silhouette can be trusted, [N] bool.
    """
    found = [_find_one(image) for image in images]
    size = images.shape[:3]
    return (
        np.array([silhouette for silhouette, _ in found], bool).reshape(size),
        np.array([is_plain for _, is_plain in found], bool),
    )


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the intersection over union [N], 0 to 1, of pairs of silhouettes [N, H, W]; 0 if both are empty."""
    both, either = (a & b).sum(axis=(1, 2)), (a | b).sum(axis=(1, 2))
    return both / np.maximum(either, 1)


def on_grey(images: np.ndarray, silhouettes: np.ndarray) -> np.ndarray:
    """Shows the objects alone, on uniform grey.

    The outermost pixels go, too: they hold some of the ground's colour.

    Args:
        images: [N, H, W, 3] uint8.
        silhouettes: [N, H, W] bool.

    Returns:
        [N, H, W, 3] uint8.
    """
    inner = [cv2.erode(one.astype(np.uint8), np.ones((3, 3), np.uint8)) for one in silhouettes]
    return np.where(np.array(inner, bool).reshape(silhouettes.shape)[..., None], images, np.uint8(GREY))


def ground_alone(images: np.ndarray, silhouettes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Shows the ground without the object or its outline: a picture laid of pieces of ground, drawn at random.

    Args:
        images: [N, H, W, 3] uint8.
        silhouettes: [N, H, W] bool.
        seed: of the choice of pieces.

    Returns:
        [N, H, W, 3] uint8; uniform grey where no piece is free of the object.
    """
    rng = np.random.default_rng(seed)
    pairs: Iterable = zip(images, silhouettes, strict=True)
    return np.array([_ground_of_one(image, one, rng) for image, one in pairs], np.uint8).reshape(images.shape)


def _find_one(image: np.ndarray) -> tuple[np.ndarray, bool]:
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    edge = np.ones(image.shape[:2], bool)
    edge[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    weights = np.array([_BRIGHTNESS, 1, 1], np.float32)
    difference = np.sqrt(np.square((lab - np.median(lab[edge], axis=0)) * weights).sum(axis=-1))
    difference = cv2.GaussianBlur(difference, (3, 3), 0)
    levels = np.uint8(np.clip(difference * (255 / max(float(difference.max()), 1e-6)), 0, 255))
    _, above = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    silhouette = _filled(_largest(cv2.morphologyEx(above, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))))
    share = float(silhouette.mean())
    if not _LEAST <= share <= _MOST:
        return silhouette.astype(bool), False
    of_ground, of_object = (float(np.median(difference[silhouette == value])) for value in (0, 1))
    return silhouette.astype(bool), of_ground <= _PLAIN * of_object


def _largest(mask: np.ndarray) -> np.ndarray:
    """Keeps the largest connected piece of a mask [H, W] of 0 and 1."""
    count, pieces, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    return mask if count < 2 else (pieces == 1 + np.argmax(facts[1:, cv2.CC_STAT_AREA])).astype(np.uint8)


def _filled(mask: np.ndarray) -> np.ndarray:
    """Closes gaps along the outline, and holes: spots of another colour."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc)
    around = cv2.copyMakeBorder(1 - closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, pieces = cv2.connectedComponents(around, connectivity=4)
    return (pieces != pieces[0, 0]).astype(np.uint8)[1:-1, 1:-1]


def _ground_of_one(image: np.ndarray, silhouette: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = silhouette.shape
    width_of_margin = 2 * _MARGIN + 1
    taken = cv2.dilate(silhouette.astype(np.uint8), np.ones((width_of_margin, width_of_margin), np.uint8))
    windows = np.lib.stride_tricks.sliding_window_view(taken, (_PIECE, _PIECE))
    tops, lefts = np.nonzero(windows.max(axis=(2, 3)) == 0)
    rows, columns = -(-height // _PIECE), -(-width // _PIECE)
    if not len(tops):
        return np.full_like(image, GREY)
    laid = np.empty((rows * _PIECE, columns * _PIECE, 3), np.uint8)
    for place, chosen in enumerate(rng.integers(len(tops), size=rows * columns)):
        top, left = place // columns * _PIECE, place % columns * _PIECE
        piece = image[tops[chosen] : tops[chosen] + _PIECE, lefts[chosen] : lefts[chosen] + _PIECE]
        laid[top : top + _PIECE, left : left + _PIECE] = piece
    return laid[:height, :width]
