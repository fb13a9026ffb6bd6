"""What pictures and videos say of themselves, read as other programs read it."""

import io
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from stargan_tf.data.images import to_png
from stargan_tf.data.png_chunks import is_intact
from stargan_tf.inference import provenance
from stargan_tf.inference.video import write_video
from tests.metadata import XMP_TYPE, read_metadata

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
STYLES = [
    provenance.style("cat & <dog>\x00", {"seed": 3, "psi": 0.5, "latent": [0.0]}, np.zeros(2, np.float32)),
    provenance.style("wild", {"reference": "/home/me/aunt.png", "reference_sha256": "ab" * 32}, np.zeros(2)),
    provenance.style(None, {}, np.float32([1, 2])),
]
PACKET = provenance.packet(STYLES, "0123456789ab", "pets, version 3")
TOLD = {
    "source_type": "trainedAlgorithmicMedia",
    "system": "StarGAN v2",
    "system_version": "networks 0123456789ab; pets, version 3",
    "networks": "0123456789ab",
    "model": "pets, version 3",
    "styles": [
        {"domain": "cat & <dog>\ufffd", "seed": "3", "psi": "0.5"},
        {"domain": "wild", "reference_sha256": "ab" * 32},
        {"style_sha256": "0123"},
    ],
}
TOLD["styles"][2]["style_sha256"] = STYLES[2]["style_sha256"]


def encoded(format: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, format)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_pictures_tell_it_and_keep_their_pixels(format):
    plain = encoded(format)
    marked = provenance.marked(plain, PACKET)
    assert read_metadata(marked) == TOLD
    with Image.open(io.BytesIO(plain)) as before, Image.open(io.BytesIO(marked)) as after:
        assert np.array_equal(before, after)
    assert marked == provenance.marked(plain, PACKET)
    assert format != "PNG" or is_intact(marked)


def test_neither_a_path_nor_the_time_is_told():
    assert b"aunt" not in PACKET and b"/home" not in PACKET
    assert b"Date" not in PACKET
    assert len(STYLES[2]["style_sha256"]) == 64


def test_what_shows_sources_too_is_a_composite():
    told = read_metadata(provenance.marked(to_png(Image.fromarray(PIXELS)), provenance.packet([], None, mixed=True)))
    assert told == {"source_type": "compositeSynthetic", "system": "StarGAN v2", "styles": []}


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="neither PNG, JPEG nor GIF"):
        provenance.marked(encoded("BMP"), PACKET)


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".mp4"])
def test_videos_tell_it_and_keep_their_frames(suffix, tmp_path):
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    frames = [np.roll(PIXELS, shift, axis=1) for shift in range(3)]
    paths = [tmp_path / f"{name}{suffix}" for name in ("plain", "marked", "again")]
    for path, metadata in zip(paths, (None, PACKET, PACKET), strict=True):
        write_video(frames, path, fps=10, metadata=metadata)
    assert read_metadata(paths[1].read_bytes()) == TOLD
    assert b"trainedAlgorithmicMedia" not in paths[0].read_bytes()
    assert paths[1].read_bytes() == paths[2].read_bytes()
    for before, after in zip(frames_of(paths[0]), frames_of(paths[1]), strict=True):
        assert np.array_equal(before, after)


def test_players_of_mp4_are_told_in_a_comment(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    path = tmp_path / "video.mp4"
    write_video([PIXELS] * 2, path, fps=10, metadata=PACKET)
    told = subprocess.run(
        [ffmpeg, "-i", str(path), "-f", "ffmetadata", "-"], capture_output=True, text=True, check=True
    )
    assert f"comment={provenance.COMMENT}" in told.stdout


def frames_of(path: Path) -> list[np.ndarray]:
    if path.suffix == ".mp4":
        import imageio_ffmpeg

        reader = imageio_ffmpeg.read_frames(str(path))
        next(reader)
        return [np.frombuffer(frame, np.uint8) for frame in reader]
    with Image.open(path) as video:
        frames = []
        for number in range(video.n_frames):
            video.seek(number)
            frames.append(np.asarray(video.convert("RGB")))
        return frames


def test_the_packet_is_well_formed_xmp():
    root = ElementTree.fromstring(PACKET.decode().lstrip("\ufeff"))
    assert root.tag == "{adobe:ns:meta/}xmpmeta"
    assert XMP_TYPE in PACKET.decode()
