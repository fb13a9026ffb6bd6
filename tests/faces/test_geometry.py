import numpy as np
import pytest
from PIL import Image

from stargan_tf.faces import geometry as face_geometry
from stargan_tf.faces.geometry import NotAFace
from tests import rendered_faces
from tests.rendered_faces import LANDMARKS, aligned_placement, move, placement

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def turn(scale, degrees, source, target):
    """The transform that turns and scales about `source`, which it brings to `target`."""
    linear = placement(degrees, scale, (0, 0))[:, :2]
    return np.concatenate([linear, (np.array(target) - linear @ np.array(source))[:, None]], axis=1)


def noise(width, height):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def centres(width, height):
    """The centres of pixels, x and y, each [height, width]."""
    return np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)


def bump(width, height, place, deviation):
    """A round bump of brightness at (x, y), [height, width]."""
    x, y = centres(width, height)
    return 220 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * deviation**2))


def test_similarity_is_recovered():
    points = np.random.default_rng(0).normal(size=(5, 2))
    transform = turn(2.5, 200, (1, 2), (-3, 4))
    np.testing.assert_allclose(face_geometry.similarity(points, move(transform, points)), transform, atol=1e-12)
    np.testing.assert_allclose(face_geometry.apply(transform, points), move(transform, points), atol=1e-12)
    back = face_geometry.apply(face_geometry.invert(transform), move(transform, points))
    np.testing.assert_allclose(back, points, atol=1e-12)
    assert face_geometry.scale_of(transform) == pytest.approx(2.5)


def test_similarity_is_the_closest_and_never_mirrors():
    generator = np.random.default_rng(0)
    points, targets = generator.normal(size=(2, 3, 7, 2))  # three at once
    found = face_geometry.similarity(points, targets)

    def error(transforms):
        return ((face_geometry.apply(transforms, points) - targets) ** 2).sum((-1, -2))

    for turned in (0.01, -0.01):
        nudged = found.copy()
        nudged[:, :, :2] = found[:, :, :2] @ placement(turned, 1, (0, 0))[:, :2]
        assert (error(nudged) > error(found)).all()
        for change in (np.array([1 + turned] * 2 + [1]), np.array([1, 1, 1 + turned])):
            assert (error(found * change) > error(found)).all()
    assert (np.linalg.det(face_geometry.similarity(points, points * [-1, 1])[..., :2]) >= 0).all()


@pytest.mark.parametrize("degrees", [0, 30, -75, 180])
def test_an_upright_square_is_that_of_celeba_hq(degrees):
    face = placement(degrees, 37, (210, 130))
    framed = face_geometry.apply(face_geometry.upright_square(move(face, LANDMARKS)), move(face, LANDMARKS))
    np.testing.assert_allclose(framed, move(aligned_placement(256), LANDMARKS), atol=1e-9)


def test_a_long_face_is_framed_by_its_height():
    long = LANDMARKS * [1, 2]  # eyes to mouth are 4.4, times 3.6
    transform = face_geometry.upright_square(long)
    assert face_geometry.scale_of(transform) == pytest.approx(256 / (3.6 * 4.4))
    np.testing.assert_allclose(face_geometry.apply(transform, np.array([[0, 0.44]])), [[128, 128]], atol=1e-9)


@pytest.mark.parametrize(
    "landmarks", [LANDMARKS * [1, -1], np.full((98, 2), 7.0), LANDMARKS * [1, 0], np.full((98, 2), np.nan)]
)
def test_what_cannot_be_a_face_is_refused(landmarks):
    with pytest.raises(NotAFace, match="eyes and mouth do not lie as those of a face"):
        face_geometry.upright_square(landmarks)


def test_the_mean_of_turned_and_scaled_copies_is_the_face():
    generator = np.random.default_rng(0)
    faces = [
        move(placement(generator.uniform(-90, 90), generator.uniform(3, 200), generator.normal(size=2) * 99), LANDMARKS)
        for _ in range(7)
    ]
    mean = face_geometry.mean_landmarks(np.stack(faces))
    np.testing.assert_allclose(mean, move(aligned_placement(256), LANDMARKS), atol=1e-6)


def test_the_mean_is_framed_and_robust():
    generator = np.random.default_rng(0)
    faces = LANDMARKS + 0.05 * generator.normal(size=(60, 98, 2))
    faces = np.stack([move(placement(10 * index, 20 + index, (index, 0)), face) for index, face in enumerate(faces)])
    expected = move(aligned_placement(256), LANDMARKS)
    clean = face_geometry.mean_landmarks(faces)
    assert np.abs(clean - expected).max() < 1
    faces[::10, :60] += 500  # the contour, brows and nose of every tenth are elsewhere
    assert np.abs(face_geometry.mean_landmarks(faces) - expected).max() < 1.5
    np.testing.assert_allclose(
        face_geometry.mean_landmarks(faces[::-1]), face_geometry.mean_landmarks(faces), atol=1e-9
    )
    framed = face_geometry.apply(face_geometry.upright_square(clean), clean)
    np.testing.assert_allclose(framed, clean, atol=1e-9)


def test_alignment_needs_only_eyes_and_mouth():
    face, mean = placement(25, 60, (300, 200)), move(aligned_placement(256), LANDMARKS)
    landmarks = move(face, LANDMARKS)
    landmarks[:60] += 40  # the contour, brows and nose
    expected = face_geometry.similarity(move(face, LANDMARKS), mean / 2)
    np.testing.assert_allclose(face_geometry.alignment(landmarks, mean, 128), expected, atol=1e-9)


@pytest.mark.parametrize("size", [(256, 256), (300, 180), (33, 500)])
def test_identity_changes_nothing(size):
    image = noise(*size)
    side = min(size)
    np.testing.assert_array_equal(
        np.asarray(face_geometry.warp(image, IDENTITY, side)), np.asarray(image)[:side, :side]
    )


def test_whole_pixels_are_copied():
    image = noise(90, 70)
    moved = face_geometry.warp(image, np.array([[1.0, 0, -13], [0, 1, -5]]), 48)
    np.testing.assert_array_equal(np.asarray(moved), np.asarray(image)[5:53, 13:61])


def test_almost_identity_is_almost_the_picture():
    x, y = centres(128, 128)
    waves = 128 + 50 * np.cos(2 * np.pi * 0.15 * x) + 50 * np.cos(2 * np.pi * (0.1 * x - 0.12 * y))
    image = Image.fromarray(np.repeat(waves.round().astype(np.uint8)[..., None], 3, axis=-1))
    difference = np.asarray(face_geometry.warp(image, turn(1, 1e-4, (64, 64), (64, 64)), 128), float) - waves[..., None]
    assert np.abs(difference[8:-8, 8:-8]).max() < 4


@pytest.mark.parametrize(
    ("size", "scale", "degrees"),
    [
        ((400, 300), 0.6, 25),
        ((300, 300), 1, 0.5),
        ((2100, 1200), 0.11, -40),
        ((65, 90), 3.7, 100),
        ((3001, 200), 0.7, 180),
        ((127, 128), 1.9, 0),
    ],
)
def test_warping_is_exact_below_a_pixel(size, scale, degrees):
    """A bump comes to where the transform says, round and as wide as it says."""
    source, target = np.array(size) * [0.47, 0.52], np.array([101.3, 90.8])
    deviation = 6  # in the result
    image = bump(*size, source, deviation / scale).round().astype(np.uint8)
    image = Image.fromarray(np.repeat(image[..., None], 3, axis=-1))
    result = np.asarray(face_geometry.warp(image, turn(scale, degrees, source, target), 200), float)[..., 0]
    x, y = centres(200, 200)
    near = (x - target[0]) ** 2 + (y - target[1]) ** 2 < (4 * deviation) ** 2
    weight = np.where(near, result, 0)
    place = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
    np.testing.assert_allclose(place, target, atol=0.02)
    assert np.abs(result - bump(200, 200, target, deviation))[near].max() < 2.5


def test_shrinking_antialiases():
    stripes = np.tile(np.array([0, 255], np.uint8), (600, 300))[..., None].repeat(3, axis=-1)  # one pixel wide
    result = face_geometry.warp(Image.fromarray(stripes), turn(0.2, 33, (300, 300), (32, 32)), 64)
    assert np.abs(np.asarray(result, float) - 127.5).max() < 3


@pytest.mark.parametrize("degrees", [0, 20])
def test_pixels_within_the_borders_are_not_touched_by_what_is_beyond(degrees):
    size = (300, 300)
    whole = rendered_faces.draw_face(size, placement(0, 40, (150, 150)))
    transform = turn(1.1, degrees, (150, 290), (128, 128))
    cut = whole.crop((0, 0, 300, 290))
    expected = np.asarray(face_geometry.warp(whole, transform, 256), float)
    result = np.asarray(face_geometry.warp(cut, transform, 256), float)
    x, y = centres(256, 256)
    height = move(face_geometry.invert(transform), np.stack([x, y], -1).reshape(-1, 2))[:, 1].reshape(256, 256)
    np.testing.assert_allclose(result[height < 284], expected[height < 284], atol=1)
    assert np.abs(result - expected)[height > 292].max() > 20


def test_beyond_the_borders_nothing_is_black_or_sharp():
    image = np.asarray(noise(64, 64).resize((200, 160)), float) / 2 + 100  # 100 to 227, sharp everywhere
    image = Image.fromarray(image.astype(np.uint8))
    transform = turn(1, 15, (100, 80), (190, 60))
    result = np.asarray(face_geometry.warp(image, transform, 256), float)
    x, y = centres(256, 256)
    places = move(face_geometry.invert(transform), np.stack([x, y], -1).reshape(-1, 2)).reshape(256, 256, 2)
    distance = np.hypot(*np.moveaxis(np.maximum(0, np.maximum(-places, places - [200, 160])), -1, 0))
    assert result.min() > 90
    steps = np.maximum(np.abs(np.diff(result, axis=0))[:, :-1], np.abs(np.diff(result, axis=1))[:-1]).max(-1)
    inside, far = distance[:-1, :-1] == 0, distance[:-1, :-1] > 14
    assert steps[inside].max() > 30
    assert steps[far].max() < 5
    at_border = (distance > 0) & (distance < 2)  # no seam: as continuous as the picture itself
    assert steps[at_border[:-1, :-1]].max() <= steps[inside].max()
    median = np.median(result[distance == 0], axis=0)
    np.testing.assert_allclose(result[distance > 64], np.broadcast_to(median, result[distance > 64].shape), atol=1)


def test_mirroring_more_than_once():
    """A picture much smaller than the square around its face."""
    image = noise(5, 3).point(lambda value: 100 + value // 4)  # 100 to 163
    result = np.asarray(face_geometry.warp(image, turn(4, 10, (2, 1), (32, 32)), 64))
    assert result.shape == (64, 64, 3)
    assert result.min() > 60 and result.max() < 203  # filters overshoot
