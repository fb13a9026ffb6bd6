"""Finds the face in each of many pictures, and says of the others why not."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tqdm import tqdm

from stargan_tf.data.images import UnreadableImage, decode_image, to_array
from stargan_tf.faces.geometry import MEAN_SIDE, NotAFace, apply, scale_of, upright_square

if TYPE_CHECKING:
    from stargan_tf.networks.face_network import FaceNetwork

# Side of the images that a detector sees, in pixels.
DETECTOR_SIDE = 256

# The side of the square that frames a face, in longer sides of the picture. That of a face that fills most of a picture
# is about 1; what is far from that are landmarks without a face.
_SMALLEST_SQUARE, _LARGEST_SQUARE = 1 / 8, 8

# Images [N, 256, 256, 3] float32 in [-1, 1] -> landmarks in their pixels [N, 98, 2], confidence [N].
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
        file: where they are listed, a JSON object a line.
    """

    def __init__(self, file: Path):
        self.count = 0
        self._file = file

    def add(self, path: Path, reason: str, confidence: float | None = None) -> None:
        """Adds a picture; `confidence` is None if the detector did not see it, or gave no number."""
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
        min_confidence: what is below is rejected.
        batch_size: pictures for the detector at once.
        rejections: takes the pictures that cannot be read or show no face.

    Yields:
        The faces, in the order of the paths.
    """
    batch = []
    for index, path in enumerate(tqdm(paths, desc="finding faces", unit="picture", disable=None)):
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
        picture_size: of the picture.

    Raises:
        NotAFace: it is far smaller or larger.
    """
    longer = max(picture_size) * scale_of(transform)
    if not _SMALLEST_SQUARE * longer <= side <= _LARGEST_SQUARE * longer:  # nor if it is not a number
        raise NotAFace(f"landmarks would be those of a face far too {'large' if side > longer else 'small'}")


def as_square(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Makes the square that a detector sees: the whole picture in the middle, its edges repeated to both sides.

    Args:
        picture: an RGB picture of any size.

    Returns:
        The square [256, 256, 3] in [-1, 1], and the transform [2, 3] from its pixels to those of the picture.
    """
    longer = max(picture.size)
    scale = longer / DETECTOR_SIDE
    # Resized first and padded then, so that a long picture takes no more memory than it has. The shorter side seldom
    # becomes a whole number of pixels: what is missing to one is repeated before.
    size = [-(-side * DETECTOR_SIDE // longer) for side in picture.size]
    missing = [max(0, math.ceil(wanted * scale) - side) for wanted, side in zip(size, picture.size, strict=True)]
    extended = np.pad(np.asarray(picture), ((0, missing[1]), (0, missing[0]), (0, 0)), mode="edge")
    extended = Image.fromarray(extended)
    box = (0, 0, min(size[0] * scale, extended.width), min(size[1] * scale, extended.height))
    small = np.asarray(extended.resize(tuple(size), Image.Resampling.LANCZOS, box=box))
    left, top = (DETECTOR_SIDE - size[0]) // 2, (DETECTOR_SIDE - size[1]) // 2
    padding = ((top, DETECTOR_SIDE - size[1] - top), (left, DETECTOR_SIDE - size[0] - left), (0, 0))
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
