"""Images with the spectrum of photographs, and data directories of them, for benchmarks without data."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def photograph(seed: int, side: int) -> bytes:
    """Makes a JPEG of noise whose amplitude falls with frequency as in photographs, the channels being alike.

    Args:
        seed: of the noise.
        side: in pixels.

    Returns:
        The file, about 21 kB at 256 px.
    """
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf

    def plane() -> np.ndarray:
        values = np.fft.irfft2(np.fft.rfft2(random.normal(size=(side, side))) / frequency**1.7, s=(side, side))
        return values / values.std()

    brightness = plane()
    pixels = np.stack([128 + 45 * brightness + 15 * plane() for _ in range(3)], axis=-1)
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def write_records(files: Sequence[Sequence[str]], image_size: tuple[int, int], decoded: bool, parent: Path) -> Path:
    """Makes a data directory of image files, without Beam.

    Args:
        files: paths of the images of each domain, whose name is that of the folder they are in.
        image_size: height and width that all of them have, in pixels.
        decoded: whether pixels are stored, instead of the files.
        parent: where the directory is made.

    Returns:
        Its path.
    """
    import tensorflow as tf

    from stargan_tf.data import records, tfds_metadata

    directory = parent / ("decoded" if decoded else "encoded")
    directory.mkdir()
    domains = [Path(paths[0]).parent.name for paths in files]
    splits = {}
    for label, (domain, paths) in enumerate(zip(domains, files, strict=True)):
        split = records.split_name("train", domain)
        shard = directory / records.shard_file(split, 0, 1)
        with tf.io.TFRecordWriter(str(shard)) as writer:
            for path in paths:
                image = Path(path).read_bytes()
                if decoded:
                    with Image.open(path) as opened:
                        image = np.asarray(opened.convert("RGB")).tobytes()
                writer.write(records.serialize_example(image, label, Path(path).name))
        splits[split] = tfds_metadata.SplitSummary((len(paths),), shard.stat().st_size)
    tfds_metadata.write_metadata(directory, domains, image_size, splits, decoded=decoded)
    return directory
