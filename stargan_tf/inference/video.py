"""Videos written frame by frame: MP4, animated WebP and GIF."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stargan_tf.base import extras, progress
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import whole_file
from stargan_tf.inference import provenance

FORMATS = (".mp4", ".webp", ".gif")

# Of H.264: visually lossless (0 would be lossless, 23 is the encoder's default).
_MP4_QUALITY = 16
_WEBP_QUALITY = 90
# GIF counts time in hundredths of a second, and players show frames of less than two of them slowly.
_MAX_GIF_FPS = 50


def check_format(path: Path, fps: int) -> None:
    """Checks that a video can be written, before its frames are made.

    Args:
        path: of the video; its suffix says the format.
        fps: frames a second.

    Raises:
        UserError: the suffix is none of `FORMATS`, the format has no such rate, or the encoder is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UserError(f"--output is {str(path)!r}; a video must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if suffix == ".gif" and fps > _MAX_GIF_FPS:
        raise UserError(f"--fps is {fps}; a GIF has at most {_MAX_GIF_FPS} frames a second")
    if suffix == ".mp4":
        extras.require("video", "imageio_ffmpeg")


def write_video(
    frames: Iterable[np.ndarray], path: Path, fps: int, loop: bool = True, metadata: bytes | None = None
) -> int:
    """Writes a video under a temporary name, and renames it when it is complete.

    MP4 (H.264) is encoded as frames arrive; for WebP and GIF all frames are held in memory until the last one.

    Args:
        frames: uint8 [H, W, 3], all of one size, at least one.
        path: of the video; see `check_format`.
        fps: frames a second.
        loop: whether WebP and GIF repeat for ever; for MP4 that is the player's choice.
        metadata: what `provenance.packet` made, if the video is to say that it is synthetic.

    Returns:
        The number of frames in the file: WebP and GIF show a frame longer instead of storing the same one again.
    """
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".mp4":
            return _write_mp4(frames, temporary, fps, metadata)
        _write_animation(frames, temporary, fps, loop, metadata)
        with Image.open(temporary) as written:
            return getattr(written, "n_frames", 1)


def _write_mp4(frames: Iterable[np.ndarray], path: Path, fps: int, metadata: bytes | None) -> int:
    import imageio_ffmpeg

    count = 0
    comment = [] if metadata is None else ["-metadata", f"comment={provenance.COMMENT}"]
    with contextlib.ExitStack() as stack:
        writer = None
        for frame in _with_even_sides(frames):
            if writer is None:
                size = (frame.shape[1], frame.shape[0])
                # One thread, so that the same frames give the same bytes on every machine; and no scaling to multiples
                # of 16, which is what the package does by default.
                writer = imageio_ffmpeg.write_frames(
                    str(path),
                    size,
                    fps=fps,
                    codec="libx264",
                    quality=None,
                    macro_block_size=2,
                    ffmpeg_log_level="error",
                    output_params=["-crf", str(_MP4_QUALITY), "-threads", "1", "-movflags", "+faststart", *comment],
                )
                stack.callback(writer.close)
                writer.send(None)
            writer.send(np.ascontiguousarray(frame))
            count += 1
    if metadata is not None:
        with path.open("ab") as file:
            file.write(provenance.mp4_box(metadata))
    return count


def _with_even_sides(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Repeats the last row or column where needed, since MP4 stores colours at half the resolution."""
    for frame in frames:
        yield np.pad(frame, [(0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)], "edge")


def _write_animation(frames: Iterable[np.ndarray], path: Path, fps: int, loop: bool, metadata: bytes | None) -> None:
    pictures: list[Image.Image] = [Image.fromarray(frame) for frame in frames]
    with progress.waiting("encoding the video"):
        _save_animation(pictures, path, fps, loop, metadata)


def _save_animation(pictures: list[Image.Image], path: Path, fps: int, loop: bool, metadata: bytes | None) -> None:
    is_gif = path.suffix.lower() == ".gif"
    tick = 10 if is_gif else 1  # milliseconds
    # Rounded as times since the beginning, not frame by frame, so that rounding does not change the length.
    times = [round(index * 1000 / fps / tick) * tick for index in range(len(pictures) + 1)]
    durations = [after - before for before, after in itertools.pairwise(times)]
    if is_gif:
        # Each frame has 256 colours of its own; no dithering, whose grain would flicker.
        pictures = [picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE) for picture in pictures]
        # A GIF without the field is shown once; 0 means for ever.
        options: dict[str, Any] = {"loop": 0} if loop else {}
    else:
        options = {"loop": 0 if loop else 1, "quality": _WEBP_QUALITY, "method": 4, "xmp": metadata or b""}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, **options)
    if is_gif and metadata is not None:
        path.write_bytes(provenance.marked(path.read_bytes(), metadata))
