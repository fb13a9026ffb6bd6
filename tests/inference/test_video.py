import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.inference.video import check_format, write_video

# Odd sides, which MP4 cannot have; each frame has a brightness of its own.
FRAMES = [np.full((33, 47, 3), 20 * index, np.uint8) for index in range(1, 11)]


def read_mp4(path):
    frames = imageio_ffmpeg.read_frames(str(path))
    facts = next(frames)
    width, height = facts["size"]
    return facts, [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames]


def read_animation(path):
    with Image.open(path) as picture:
        frames, duration = [], 0
        for index in range(picture.n_frames):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB")))
            duration += picture.info["duration"]
        return picture.info, duration, frames


def test_mp4(tmp_path):
    path = tmp_path / "new" / "video.mp4"
    assert write_video(iter(FRAMES), path, fps=20) == 10
    facts, frames = read_mp4(path)
    assert facts["fps"] == 20 and facts["codec"] == "h264" and facts["duration"] == pytest.approx(0.5)
    assert facts["size"] == (48, 34) and facts["pix_fmt"].startswith("yuv420p")  # what every player knows
    assert len(frames) == 10
    for frame, written in zip(frames, FRAMES, strict=True):
        assert np.abs(frame[:33, :47].astype(int) - written).max() <= 4
    assert [file.name for file in path.parent.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
@pytest.mark.parametrize("loop", [True, False])
def test_animations(suffix, loop, tmp_path):
    path = tmp_path / f"video{suffix}"
    assert write_video(iter(FRAMES), path, fps=24, loop=loop) == 10
    info, duration, frames = read_animation(path)
    # As long as it should be, though no frame lasts a whole number of hundredths of a second.
    assert duration == pytest.approx(10 / 24 * 1000, abs=10)
    assert info.get("loop") == (0 if loop else {".webp": 1, ".gif": None}[suffix])
    for frame, written in zip(frames, FRAMES, strict=True):
        assert frame.shape == written.shape and np.abs(frame.astype(int) - written).max() <= 4


@pytest.mark.parametrize("suffix", [".mp4", ".webp", ".gif"])
def test_the_frames_that_are_stored_are_counted(suffix, tmp_path):
    """Formats of animations show a frame longer where the next one is the same."""
    path = tmp_path / f"video{suffix}"
    twice = [frame for frame in FRAMES for _ in range(2)]
    count = write_video(iter(twice), path, fps=20)
    if suffix == ".mp4":
        assert count == len(read_mp4(path)[1]) == 20
    else:
        _, duration, frames = read_animation(path)
        assert count == len(frames) == 10 and duration == pytest.approx(1000, abs=10)


@pytest.mark.parametrize("suffix", [".mp4", ".webp", ".gif"])
def test_the_same_frames_give_the_same_bytes(suffix, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        write_video(iter(frames), path, fps=10)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("suffix", [".mp4", ".webp"])
def test_a_video_that_fails_leaves_nothing(suffix, tmp_path):
    def frames():
        yield from FRAMES[:3]
        raise RuntimeError("out of frames")

    with pytest.raises(RuntimeError, match="out of frames"):
        write_video(frames(), tmp_path / f"video{suffix}", fps=10)
    assert not list(tmp_path.iterdir())


def test_formats_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"must end in \.mp4, \.webp or \.gif"):
        check_format(tmp_path / "video.avi", 24)
    with pytest.raises(UserError, match="--fps is 60; a GIF has at most 50"):
        check_format(tmp_path / "video.gif", 60)
