"""Finds the face in each of many pictures, and lists the pictures without one and why."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stargan_tf.base import progress
from stargan_tf.data.images import UnreadableImage, decode_image, to_array
from stargan_tf.faces.geometry import MEAN_SIDE, NotAFace, apply, scale_of, upright_square

if TYPE_CHECKING:
    from stargan_tf.networks.face_network import FaceNetwork

# Side of the images that a detector sees, in pixels.
DETECTOR_SIDE = 256

# Side of the square that frames a face, as a multiple of the picture's longer side. A face that fills most of a picture
# has about 1; values far from it come from landmarks found where no face is.
_SMALLEST_SQUARE, _LARGEST_SQUARE = 1 / 8, 8

# From images [N, 256, 256, 3] float32 in [-1, 1] to landmarks in their pixels [N, 98, 2] and confidences [N].
Detector = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Face:
    """A face that was found.

    Args:
        path: the picture.
        confidence: of the detector.
        landmarks: in pixels of the picture, [98, 2].
    """

    path: Path
    confidence: float
    landmarks: np.ndarray


class Rejections:
    """Lists and counts pictures without a face.

    Args:
        file: lists them, one JSON object per line.
    """

    def __init__(self, file: Path):
        self.count = 0
        self._file = file

    def add(self, path: Path, reason: str, confidence: float | None = None) -> None:
        """Adds a picture; `confidence` is None if the detector did not see it or gave NaN."""
        self.count += 1
        with self._file.open("a") as file:
            file.write(json.dumps({"path": str(path), "reason": reason, "confidence": confidence}) + "\n")


def make_detector(network: "FaceNetwork") -> Detector:
    """Makes a detector of a face network.

    Args:
        network: finds the landmarks.

    Returns:
        The detector; its confidence is the mean over the landmarks of the maximum of their heatmaps.
    """
    # Here, so that a mistake in the flags is answered at once.
    import tensorflow as tf

    from stargan_tf.networks import face_network

    @tf.function(input_signature=[tf.TensorSpec([None, DETECTOR_SIDE, DETECTOR_SIDE, 3], tf.float32)])
    def find(images):
        heatmaps = network(images)[..., : face_network.NUM_LANDMARKS]
        return face_network.landmarks(heatmaps), tf.reduce_mean(tf.reduce_max(heatmaps, axis=(1, 2)), axis=-1)

    def detector(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        landmarks, confidence = find(images)
        return landmarks.numpy(), confidence.numpy()

    return detector


def find_faces(
    paths: Sequence[Path], detector: Detector, min_confidence: float, batch_size: int, rejections: Rejections
) -> Iterator[Face]:
    """Finds the face in each picture.

    Args:
        paths: the pictures.
        detector: finds landmarks.
        min_confidence: faces below it are rejected.
        batch_size: pictures given to the detector at once.
        rejections: records the pictures that cannot be read or show no face.

    Yields:
        The faces, in the order of the paths.
    """
    batch = []
    for index, path in enumerate(progress.each(paths, "finding faces", "pictures")):
        try:
            picture = read_picture(path)
            batch.append((path, picture.size, *as_square(picture)))
        except UnreadableImage as error:
            rejections.add(path, str(error))
        if not batch or (len(batch) < batch_size and index < len(paths) - 1):
            continue
        found = detector(np.stack([image for _, _, image, _ in batch]))
        for (path, size, _, to_picture), landmarks, confidence in zip(batch, *found, strict=True):
            confidence = round(float(confidence), 4) if math.isfinite(confidence) else None
            landmarks = apply(to_picture, np.asarray(landmarks, np.float64))
            try:
                if confidence is None or confidence < min_confidence:
                    raise NotAFace(f"confidence is {confidence}, not at least {min_confidence:g}")
                check_extent(upright_square(landmarks), MEAN_SIDE, size)
                yield Face(path, confidence, landmarks)
            except NotAFace as error:
                rejections.add(path, f"no face found: {error}", confidence)
        batch = []


def check_extent(transform: np.ndarray, side: float, picture_size: tuple[int, int]) -> None:
    """Checks that the square around a face has about the size of the picture.

    Args:
        transform: from the picture onto a square, [2, 3].
        side: of that square.
        picture_size: width and height.

    Raises:
        NotAFace: the square is far smaller or larger than the picture.
    """
    longer = max(picture_size) * scale_of(transform)
    if not _SMALLEST_SQUARE * longer <= side <= _LARGEST_SQUARE * longer:  # also raised for NaN
        raise NotAFace(f"landmarks would be those of a face far too {'large' if side > longer else 'small'}")


def as_square(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Makes the square that a detector sees: the whole picture, centred, its edges repeated to fill the rest.

    Args:
        picture: an RGB picture of any size.

    Returns:
        The square [256, 256, 3] in [-1, 1], and the transform [2, 3] from its pixels to those of the picture.
    """
    longer = max(picture.size)
    scale = longer / DETECTOR_SIDE
    # Resized before it is padded to the square, so that a long picture takes no more memory than it has. The shorter
    # side seldom becomes a whole number of pixels: it is rounded up, and the edge repeated to fill the last one.
    width, height = (-(-side * DETECTOR_SIDE // longer) for side in picture.size)
    right, below = max(0, math.ceil(width * scale) - picture.width), max(0, math.ceil(height * scale) - picture.height)
    extended = Image.fromarray(np.pad(np.asarray(picture), ((0, below), (0, right), (0, 0)), mode="edge"))
    box = (0, 0, min(width * scale, extended.width), min(height * scale, extended.height))
    small = np.asarray(extended.resize((width, height), Image.Resampling.LANCZOS, box=box))
    left, top = (DETECTOR_SIDE - width) // 2, (DETECTOR_SIDE - height) // 2
    padding = ((top, DETECTOR_SIDE - height - top), (left, DETECTOR_SIDE - width - left), (0, 0))
    square = to_array(Image.fromarray(np.pad(small, padding, mode="edge")))
    return square, np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])


def read_picture(path: Path) -> Image.Image:
    """Reads an RGB picture, upright.

    Raises:
        UnreadableImage: it cannot be read.
    """
    try:
        return decode_image(path.read_bytes())
    except OSError as error:
        raise UnreadableImage(str(error)) from error
