import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stargan_tf import align
from stargan_tf.faces.detection import as_square
from stargan_tf.networks import face_network, published_names
from tests.parity import draw_parameter
from tests.rendered_faces import LANDMARKS, aligned_placement, draw_face, move, placement, stand_in_detector

# Sizes and places of faces; each square is inside its picture, all but a corner.
FACES = {
    "straight.png": ((400, 400), placement(0, 45, (200, 200))),
    "turned/wide.png": ((480, 320), placement(20, 30, (250, 158))),
    "turned/high.jpg": ((300, 420), placement(-30, 29, (147, 205))),
    "turned/more.bmp": ((640, 500), placement(65, 42, (320, 255))),
    "odd.PNG": ((401, 299), placement(10, 33, (198, 148))),
    "small.png": ((200, 190), placement(-5, 22, (100, 96))),
}


@pytest.fixture
def stand_in(monkeypatch):
    """The command with a detector that finds drawn faces in the place of the network."""
    monkeypatch.setattr(align, "_load_detector", lambda path: stand_in_detector)


@pytest.fixture(scope="module")
def faces_path(tmp_path_factory) -> Path:
    """A folder of drawn faces."""
    folder = tmp_path_factory.mktemp("faces")
    for name, (size, transform) in FACES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        draw_face(size, transform).save(folder / name, **({"quality": 98} if name.endswith(".jpg") else {}))
    return folder


def command(source, output, *flags) -> int:
    return align.main(["--input", str(source), "--output", str(output), "--fan", "stand-in", *map(str, flags)])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def expected_transform(face: np.ndarray, image_size: int) -> np.ndarray:
    """From a picture with a face to where the rule of CelebA-HQ puts it."""
    both = [np.vstack([transform, [0, 0, 1]]) for transform in (aligned_placement(image_size), face)]
    return (both[0] @ np.linalg.inv(both[1]))[:2]


@pytest.mark.parametrize("image_size", [256, 128])
def test_faces_are_aligned_within_half_a_pixel(image_size, stand_in, faces_path, tmp_path, capsys):
    assert command(faces_path, tmp_path / "out", "--image_size", image_size) == 0
    assert f"aligned 6 of 6 pictures; look at {tmp_path / 'out' / 'overview.png'}" in capsys.readouterr().out
    found = {
        Path(entry["path"]).relative_to(faces_path).as_posix(): entry
        for entry in lines(tmp_path / "out" / "landmarks.jsonl")
    }
    assert list(found) == sorted(FACES, key=Path)
    drawn = np.asarray(draw_face((image_size, image_size), aligned_placement(image_size)), float)
    for name, (size, face) in FACES.items():
        entry = found[name]
        assert entry["confidence"] == 0.9
        landmarks, transform = np.array(entry["landmarks"]), np.array(entry["transform"])
        assert np.abs(landmarks - move(face, LANDMARKS)).max() < 0.25 * max(size) / 256
        corners = np.array([[0, 0], [size[0], 0], [0, size[1]], size])
        for points in (corners, move(face, LANDMARKS)):
            error = move(transform, points) - move(expected_transform(face, image_size), points)
            assert np.hypot(*error.T).max() < 0.5
        # All are the picture of the same face; the corners may be beyond the borders.
        assert entry["aligned"] == str(Path(name).with_suffix(".png"))
        with Image.open(tmp_path / "out" / entry["aligned"]) as picture:
            assert picture.size == (image_size, image_size) and picture.mode == "RGB"
            difference = np.abs(np.asarray(picture, float) - drawn)
        inner = slice(image_size // 8, -image_size // 8)
        assert difference[inner, inner].mean() < 2.5
    with np.load(tmp_path / "out" / "mean_landmarks.npz") as arrays:
        np.testing.assert_allclose(arrays["landmarks"], move(aligned_placement(256), LANDMARKS), atol=0.3)
    with Image.open(tmp_path / "out" / "overview.png") as overview:
        assert overview.width > 4 * 300 and overview.height > 2 * 150
    assert not (tmp_path / "out" / "rejected.jsonl").exists()


def test_the_same_twice_gives_the_same_bytes(stand_in, faces_path, tmp_path):
    (tmp_path / "second").mkdir()  # an empty directory will do
    for name in ("first", "second"):
        assert command(faces_path, tmp_path / name, "--batch_size", 4) == 0
    first, second = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("first", "second")
    )
    assert len(first) == len(FACES) + 3
    assert first == second


def test_the_mean_can_be_used_again(stand_in, faces_path, tmp_path):
    assert command(faces_path, tmp_path / "all") == 0
    mean = tmp_path / "all" / "mean_landmarks.npz"
    assert command(faces_path / "turned", tmp_path / "some", "--mean_landmarks", mean) == 0
    for name in ("wide", "high", "more"):
        again = tmp_path / "some" / f"{name}.png"
        assert again.read_bytes() == (tmp_path / "all" / "turned" / f"{name}.png").read_bytes()
    assert (tmp_path / "some" / "mean_landmarks.npz").read_bytes() == mean.read_bytes()


def test_two_that_would_meet_keep_their_endings(stand_in, faces_path, tmp_path):
    (tmp_path / "twins").mkdir()
    with Image.open(faces_path / "turned" / "wide.png") as face:
        for name in ("a.jpg", "a.png", "b.png"):
            face.convert("RGB").save(tmp_path / "twins" / name)
    assert command(tmp_path / "twins", tmp_path / "out") == 0
    aligned = {Path(entry["path"]).name: entry["aligned"] for entry in lines(tmp_path / "out" / "landmarks.jsonl")}
    assert aligned == {"a.jpg": "a.jpg.png", "a.png": "a.png.png", "b.png": "b.png"}
    assert all((tmp_path / "out" / name).is_file() for name in aligned.values())


def test_given_mean_landmarks_decide_where_faces_go(stand_in, faces_path, tmp_path):
    place = placement(12, 20, (110, 150))
    np.save(tmp_path / "mean.npy", move(place, LANDMARKS).astype(np.float32).reshape(-1))
    flags = ("--mean_landmarks", tmp_path / "mean.npy", "--format", "jpeg")
    assert command(faces_path, tmp_path / "out", *flags) == 0
    drawn = np.asarray(draw_face((256, 256), place), float)
    for name in FACES:
        with Image.open((tmp_path / "out" / name).with_suffix(".jpg")) as picture:
            assert picture.format == "JPEG"
            assert np.abs(np.asarray(picture, float) - drawn)[100:200, 60:160].mean() < 3.5


def test_pictures_without_a_face_are_told_and_not_written(stand_in, tmp_path, capsys):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    draw_face((200, 200), placement(5, 20, (100, 100))).save(tmp_path / "in" / "deep" / "face.png")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "in" / "blank.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    output = tmp_path / "out"
    assert command(tmp_path / "in", output) == 0
    out = capsys.readouterr().out
    assert "aligned 1 of 3 pictures" in out
    assert f"2 pictures were rejected; they are listed in {output / 'rejected.jsonl'}" in out
    rejected = {Path(entry["path"]).name: entry for entry in lines(output / "rejected.jsonl")}
    assert rejected.keys() == {"blank.png", "broken.png"}
    assert rejected["blank.png"]["reason"] == "no face found: confidence is 0.05, not at least 0.3"
    assert rejected["blank.png"]["confidence"] == 0.05
    assert rejected["broken.png"]["reason"] and rejected["broken.png"]["confidence"] is None
    written = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert written == {
        "deep/face.png", "landmarks.jsonl", "mean_landmarks.npz", "overview.png", "rejected.jsonl"
    }  # fmt: skip


def test_no_face_at_all_is_an_error(stand_in, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (300, 200), "white").save(tmp_path / "in" / "blank.png")
    (tmp_path / "in" / "empty.png").touch()
    assert command(tmp_path / "in", tmp_path / "out") == 2
    assert "no face was found in any of the 2 pictures" in (err := capsys.readouterr().err)
    assert err.count("\n") == 1
    assert len(lines(tmp_path / "out" / "rejected.jsonl")) == 2


def test_a_face_at_the_border_is_padded(stand_in, tmp_path):
    """The chin touches the lower border: what is below is neither black nor sharp."""
    (tmp_path / "in").mkdir()
    face = placement(15, 40, (150, 200))
    draw_face((300, 330), face).save(tmp_path / "in" / "face.png")
    assert command(tmp_path / "in", tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "face.png") as picture:
        pixels = np.asarray(picture, float)
    x, y = np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)
    back = np.linalg.inv(np.vstack([expected_transform(face, 256), [0, 0, 1]]))[:2]
    places = move(back, np.stack([x, y], -1).reshape(-1, 2)).reshape(256, 256, 2)
    beyond = np.maximum(0, np.maximum(-places, places - [300, 330])).max(-1) * 256 / (8 * 40)
    assert (beyond > 0).mean() > 0.05
    far = beyond > 256 / 24 + 2
    assert pixels[far].min() > 60
    steps = np.abs(np.diff(pixels, axis=0))[:, :-1].max(-1)
    assert steps[far[:-1, :-1]].max() < 12 < 60 < steps[beyond[:-1, :-1] == 0].max()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--input": "nowhere"}, "there is no folder 'nowhere' (--input)"),
        ({"--input": "empty"}, "there is no image in 'empty' (--input)"),
        ({"--input": "namesake"}, "and the overview would both be written to 'overview.png'"),
        ({"--output": "full"}, "'full' exists and is not empty"),
        ({"--image_size": "8"}, "--image_size is 8; it must be at least 16"),
        ({"--batch_size": "0"}, "--batch_size is 0; it must be at least 1"),
        ({"--min_confidence": "1.5"}, "--min_confidence is 1.5; it must be between 0 and 1"),
        ({"--min_confidence": "nan"}, "--min_confidence is nan; it must be between 0 and 1"),
        ({"--format": "gif"}, "--format is 'gif'; it must be one of png, jpeg"),
        ({"--mean_landmarks": "nowhere.npy"}, "there is no file 'nowhere.npy' (--mean_landmarks)"),
        ({"--fan": "nowhere.npz"}, "there is no face network at 'nowhere.npz'"),
    ],
)
def test_a_mistake_gets_one_sentence(changes, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, files in {"empty": [], "full": ["precious"], "fine": ["a.png"]}.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).touch()
    (tmp_path / "namesake").mkdir()
    (tmp_path / "namesake" / "overview.jpg").touch()
    arguments = {"--input": "fine", "--output": "new", "--fan": "nowhere.npz", **changes}
    assert align.main([word for pair in arguments.items() for word in pair]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert not (tmp_path / "new").exists()


def test_the_real_network(tmp_path, capsys):
    """Landmarks by drawn weights mean nothing, but come through (by this seed, the mouth is below the eyes)."""
    network = face_network.FaceNetwork()
    tensors = {
        name: draw_parameter(f"w3/fan/{name}", place.shape)
        for name, place in published_names.parameters({"fan": network})["fan"].items()
    }
    np.savez(tmp_path / "fan.npz", **tensors)
    np.save(tmp_path / "mean.npy", move(aligned_placement(256), LANDMARKS))
    (tmp_path / "in").mkdir()
    generator = np.random.default_rng(0)
    for index in range(5):
        picture = Image.fromarray(generator.integers(0, 256, (12, 12, 3), np.uint8)).resize((256, 256))
        if index == 4:  # not square, and twice the size
            picture = picture.resize((512, 400))
        picture.save(tmp_path / "in" / f"{index}.png")
    arguments = ["--input", tmp_path / "in", "--output", tmp_path / "out", "--fan", tmp_path / "fan.npz"]
    arguments += ["--mean_landmarks", tmp_path / "mean.npy", "--batch_size", "3"]
    assert align.main([*map(str, arguments)]) == 0
    assert "aligned 5 of 5 pictures" in capsys.readouterr().out

    published_names.assign({"fan": network}, {"fan": tensors})
    for entry in lines(tmp_path / "out" / "landmarks.jsonl"):
        with Image.open(tmp_path / "out" / entry["aligned"]) as aligned:
            assert aligned.size == (256, 256)
        square, to_picture = as_square(Image.open(entry["path"]))
        heatmaps = network(square[None])[..., :98].numpy()
        expected = move(to_picture, face_network.landmarks(heatmaps)[0].numpy())
        np.testing.assert_allclose(entry["landmarks"], expected, atol=1e-3)
        assert entry["confidence"] == pytest.approx(heatmaps.max((0, 1, 2)).mean(), rel=1e-3)
