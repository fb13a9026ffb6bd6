import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stargan_tf.data.images import to_array
from stargan_tf.faces import detection as face_detection
from stargan_tf.faces import geometry as face_geometry
from stargan_tf.faces.detection import Rejections, as_square, find_faces
from tests.rendered_faces import LANDMARKS, draw_face, move, placement, stand_in_detector


def test_a_square_of_the_size_wanted_is_left_alone():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
    square, to_picture = as_square(image)
    np.testing.assert_array_equal(square, to_array(image))
    np.testing.assert_array_equal(to_picture, [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("size", [(512, 512), (640, 480), (333, 500), (401, 299), (100, 257), (1999, 700), (90, 31)])
def test_places_are_mapped_back_exactly(size):
    place, deviation = np.array(size) * [0.55, 0.4], max(size) / 40
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    bump = 250 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * deviation**2))
    square, to_picture = as_square(Image.fromarray(np.repeat(bump.round().astype(np.uint8)[..., None], 3, axis=-1)))
    assert square.shape == (256, 256, 3) and square.dtype == np.float32
    x, y = np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)
    weight = np.maximum(square[..., 0] + 0.99, 0)
    found = np.array([[(weight * x).sum(), (weight * y).sum()]]) / weight.sum()
    pixel = max(size) / 256
    np.testing.assert_allclose(face_geometry.apply(to_picture, found)[0], place, atol=0.03 * pixel)


@pytest.mark.parametrize("size", [(500, 301), (301, 500)])
def test_the_square_repeats_edges(size):
    """The picture gets brighter to the right and down, so each side of the padding has its own brightness."""
    x, y = np.meshgrid(np.linspace(0, 120, size[0]), np.linspace(0, 120, size[1]))
    square, _ = as_square(Image.fromarray(np.repeat((x + y).astype(np.uint8)[..., None], 3, axis=-1)))
    rows = square if size[0] > size[1] else square.transpose(1, 0, 2)
    np.testing.assert_array_equal(rows[:50], np.broadcast_to(rows[50], rows[:50].shape))
    np.testing.assert_array_equal(rows[-50:], np.broadcast_to(rows[-51], rows[-50:].shape))
    assert (rows[-1] - rows[0]).mean() > 0.8


def test_an_extremely_long_picture_takes_little_memory():
    square, to_picture = as_square(Image.new("RGB", (60000, 3), "red"))
    np.testing.assert_allclose(square, np.broadcast_to([1, -1, -1], square.shape))
    assert face_geometry.apply(to_picture, np.array([[128, 127]]))[0] == pytest.approx([30000, 0], abs=1)


def test_faces_are_found_in_pixels_of_their_pictures(tmp_path):
    faces = {
        "a.png": ((320, 200), placement(10, 22, (170, 105))),
        "b.png": ((150, 300), placement(-35, 17, (75, 140))),
        "c.png": ((256, 256), placement(0, 30, (128, 128))),
    }
    for name, (size, transform) in faces.items():
        draw_face(size, transform).save(tmp_path / name)
    found = list(find_faces([tmp_path / name for name in faces], stand_in_detector, 0.3, 2, Rejections(tmp_path / "x")))
    assert [face.path.name for face in found] == list(faces)
    for face in found:
        size, transform = faces[face.path.name]
        assert face.confidence == 0.9
        np.testing.assert_allclose(face.landmarks, move(transform, LANDMARKS), atol=0.25 * max(size) / 256)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("landmarks", "confidence", "reason"),
    [
        (np.full((98, 2), 128.0), 0.29, "no face found: confidence is 0.29, not at least 0.3"),
        (move(placement(0, 30, (128, 128)), LANDMARKS), float("nan"), "confidence is None, not at least 0.3"),
        (np.full((98, 2), 128.0), 0.9, "no face found: eyes and mouth do not lie as those of a face"),
        (np.full((98, 2), np.nan), 0.9, "no face found: eyes and mouth do not lie as those of a face"),
        (move(placement(0, 3, (128, 128)), LANDMARKS), 0.9, "those of a face far too small"),
        (move(placement(0, 300, (128, 128)), LANDMARKS), 0.9, "those of a face far too large"),
    ],
)
def test_what_is_not_a_face_is_told(landmarks, confidence, reason, tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "picture.png")
    rejections = Rejections(tmp_path / "rejected.jsonl")

    def detector(images):
        return np.repeat(landmarks[None], len(images), 0), np.full(len(images), confidence)

    assert not list(find_faces([tmp_path / "picture.png"], detector, 0.3, 8, rejections))
    assert rejections.count == 1
    (entry,) = map(json.loads, (tmp_path / "rejected.jsonl").read_text().splitlines())
    assert reason in entry["reason"]
    assert entry["confidence"] == (None if np.isnan(confidence) else confidence)


def test_batches_are_filled_past_unreadable_pictures(tmp_path):
    paths = []
    for index in range(7):
        paths.append(tmp_path / f"{index}.png")
        if index not in (1, 6):
            Image.new("RGB", (20, 20)).save(paths[-1])
    batches, rejections = [], Rejections(tmp_path / "rejected.jsonl")

    def detector(images):
        batches.append(len(images))
        return np.full((len(images), 98, 2), 128.0), np.zeros(len(images))

    assert not list(find_faces(paths, detector, 0.3, 3, rejections))
    assert batches == [3, 2]
    assert rejections.count == 7
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert sum("No such file" in reason for reason in reasons) == 2


def test_a_picture_is_read_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (30, 10)).save(tmp_path / "a.jpg", exif=exif)
    assert face_detection.read_picture(Path(tmp_path / "a.jpg")).size == (10, 30)
