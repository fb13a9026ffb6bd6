"""Drawn faces whose landmarks are known, and a stand-in detector that finds them by their colours.

A face is drawn in coordinates of its own: the eyes are at (-1, 0) and (1, 0), the mouth is at (0, 2.2), the chin is at
(0, 3.4). By the rule of CelebA-HQ its square has side 8 (4 times the distance of the eyes) and centre (0, 0.22).
"""

import numpy as np
from PIL import Image, ImageDraw

SQUARE_SIDE = 8.0
SQUARE_CENTRE = np.array([0.0, 0.22])

_SUPERSAMPLING = 8
_ANCHORS = np.array([[-1, 0], [1, 0], [0, 2.2]])


def _arc(centre, radii, start, stop, count) -> np.ndarray:
    """Points of an ellipse, by angles in degrees: 0 is right and 90 is down."""
    angles = np.deg2rad(np.linspace(start, stop, count))
    return np.array(centre) + np.array(radii) * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _ring(centre, radii, count) -> np.ndarray:
    """Points all around an ellipse, from the left over the top to the right and back."""
    return _arc(centre, radii, 180, 540, count + 1)[:-1]


# The 98 points of WFLW, in the coordinates of the face.
LANDMARKS = np.concatenate(
    [
        _arc((0, 0.4), (2.1, 3), 185, -5, 33),  # 0-32: the contour from the left over the chin
        _ring((-1, -0.8), (0.6, 0.12), 9),  # 33-41: the left eyebrow
        _ring((1, -0.8), (0.6, 0.12), 9),  # 42-50
        np.stack([np.zeros(4), np.linspace(0.1, 1, 4)], axis=-1),  # 51-54: the nose
        _arc((0, 1.1), (0.4, 0.2), 180, 0, 5),  # 55-59: the nostrils
        _ring((-1, 0), (0.4, 0.25), 8),  # 60-67: the left eye
        _ring((1, 0), (0.4, 0.25), 8),  # 68-75
        _ring((0, 2.2), (0.8, 0.35), 12),  # 76-87: the outer lips
        _ring((0, 2.2), (0.5, 0.15), 8),  # 88-95: the inner lips
        [[-1, 0], [1, 0]],  # 96, 97: the pupils
    ]
)


def placement(degrees: float, scale: float, centre: tuple[float, float]) -> np.ndarray:
    """Returns the transform [2, 3] from the face's coordinates to pixels.

    Args:
        degrees: rotation, clockwise in the picture.
        scale: pixels for a unit of the face.
        centre: where the centre of the face's square comes to, (x, y) in pixels from the corner of the picture.
    """
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.concatenate([linear, (np.array(centre) - linear @ SQUARE_CENTRE)[:, None]], axis=1)


def aligned_placement(image_size: int) -> np.ndarray:
    """Returns where the rule of CelebA-HQ puts the face in a square picture."""
    return placement(0, image_size / SQUARE_SIDE, (image_size / 2, image_size / 2))


def move(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Moves points [N, 2] by a transform [2, 3]."""
    return points @ transform[:, :2].T + transform[:, 2]


def draw_face(size: tuple[int, int], transform: np.ndarray) -> Image.Image:
    """Draws a face: green left eye, blue right eye, red mouth, before a pattern that moves with it.

    Args:
        size: width and height in pixels.
        transform: from the face's coordinates to pixels.

    Returns:
        The picture.
    """
    picture = Image.new("RGB", (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING), (120, 120, 130))
    canvas = ImageDraw.Draw(picture)

    def fill(outline: np.ndarray, colour: tuple[int, int, int]) -> None:
        # Pillow counts from the centre of the first pixel.
        canvas.polygon([tuple(p) for p in move(transform, outline) * _SUPERSAMPLING - 0.5], fill=colour)

    for radius, shade in ((9, 150), (7.5, 110), (6, 160), (4.5, 90)):
        fill(_ring((0.5, 0), (radius, 0.7 * radius), 200), (shade, shade, shade + 10))
    fill(_ring((0, 0.3), (2.4, 3.1), 200), (224, 172, 140))
    for side in (-1, 1):
        fill(_ring((side, -0.8), (0.6, 0.12), 60), (70, 50, 40))
    fill(_arc((0, 1.1), (0.4, 0.2), 180, 0, 30), (190, 140, 110))
    fill(_ring(_ANCHORS[0], (0.4, 0.25), 60), (0, 255, 0))
    fill(_ring(_ANCHORS[1], (0.4, 0.25), 60), (0, 0, 255))
    fill(_ring(_ANCHORS[2], (0.8, 0.35), 60), (255, 0, 0))
    return picture.resize(size, Image.Resampling.BOX)


def stand_in_detector(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stands in for the face network: finds the three colours and puts the known landmarks there.

    Args:
        images: [N, 256, 256, 3] float32 in [-1, 1].

    Returns:
        Landmarks [N, 98, 2] in pixels from the corner, and confidence [N]: 0.9 where there is a face, else 0.05.
    """
    assert images.shape[1:] == (256, 256, 3) and images.dtype == np.float32
    assert images.min() >= -1 and images.max() <= 1
    found = [_find(image) for image in images]
    landmarks = [np.full((98, 2), 128.0) if face is None else face for face in found]
    return np.stack(landmarks).astype(np.float32), np.array([0.05 if face is None else 0.9 for face in found])


def _find(image: np.ndarray) -> np.ndarray | None:
    x, y = np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)
    places = []
    for channel in (1, 2, 0):
        others = np.delete(image, channel, axis=-1).max(-1)
        weight = np.maximum(0, image[..., channel] - others - 0.6)
        if weight.sum() < 4:
            return None
        places.append([(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()])
    # x' = a x - b y + c and y' = b x + a y + d, by least squares.
    rows = [row for x, y in _ANCHORS for row in ([x, -y, 1, 0], [y, x, 0, 1])]
    a, b, c, d = np.linalg.lstsq(np.array(rows), np.array(places).ravel(), rcond=None)[0]
    return move(np.array([[a, -b, c], [b, a, d]]), LANDMARKS)
