"""Runs the data job over a folder of any images and compares what it writes with what Pillow reads.

    python -m tests.compare_with_pillow FOLDER

Nothing of the project's own reading takes part in the comparison: Pillow decodes, turns, converts and fits, TensorFlow
reads the records. Exits with 1 if the job fails, if counts do not add up, if a pixel differs by more than 1 of 255, or
if an image that Pillow reads is refused for anything but its size.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, PngImagePlugin

SIDE = 64
MOST_PIXELS = 20_000_000
ENDINGS = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif"}
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
DOMAINS = ("even", "odd")
_MOST_DIFFERENCE = 1  # of 255

# Nothing of a text keeps a viewer from showing a picture.
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 30
PngImagePlugin.MAX_TEXT_MEMORY = 1 << 32


@dataclass
class Comparison:
    """What came of a folder.

    Args:
        files: how many files have the ending of an image.
        outcomes: how many of them were written, are duplicates, or were rejected for which reason.
        formats: the formats of those written, by Pillow.
        problems: what is wrong, a sentence for each.
    """

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def compare(folder: Path, work: Path) -> Comparison:
    """Runs the job and compares.

    Args:
        folder: with images at any depth.
        work: an empty folder to work in.

    Returns:
        What was found.
    """
    result, originals = Comparison(), {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and path.suffix.lower() in ENDINGS and not any(part[0] == "." for part in inside.parts):
            # By content, since the job refuses to guess when one image is in two domains.
            domain = DOMAINS[hashlib.sha256(path.read_bytes()).digest()[0] % 2]
            name = f"{len(originals):06d}{path.suffix}"
            (work / "source" / domain).mkdir(parents=True, exist_ok=True)
            (work / "source" / domain / name).symlink_to(path.resolve())
            originals[f"{domain}/{name}"] = path
    result.files = len(originals)
    command = [sys.executable, "-m", "data_prep.images_to_tfrecords", "--input", work / "source", "--output"]
    flags = ["--image_size", SIDE, "--encoding", "png", "--val_fraction", 0, "--max_rejected", 1, "--verify"]
    flags += ["--max_pixels", MOST_PIXELS, "--processes", 1]
    job = subprocess.run(list(map(str, [*command, work / "data", *flags])), check=False, capture_output=True, text=True)
    if job.returncode or "Traceback" in job.stderr:
        result.problems.append(f"the job ended with {job.returncode}: {job.stderr[-2000:]}")
        return result
    rejected, duplicates = (
        [json.loads(line) for line in (work / "data" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("rejected", "duplicates")
    )
    written = dict(_read_records(work / "data"))
    result.outcomes.update({"written": len(written), "duplicate": len(duplicates)})
    result.outcomes.update(f"rejected: {entry['reason']}" for entry in rejected)
    listed = [entry["path"] for entry in (*rejected, *duplicates)]
    if sorted([*written, *listed]) != sorted(originals):
        result.problems.append(
            f"{len(written)} written and {len(listed)} listed are not the {len(originals)} there are"
        )
    for entry in rejected:
        _check_rejected(originals[entry["path"]], entry, result)
    for key, pixels in written.items():
        _check_written(originals[key], pixels, result)
    return result


def _read_records(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    import tensorflow as tf

    features = {name: tf.io.FixedLenFeature([], tf.string) for name in ("image", "key")}
    for record in tf.data.TFRecordDataset(sorted(map(str, data.glob("*.tfrecord-*")))):
        example = tf.io.parse_single_example(record, features)
        data = example["image"].numpy()
        # A JPEG that was kept; by default TensorFlow decodes it fast and less exactly than others.
        is_jpeg = data.startswith(b"\xff\xd8")
        pixels = tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE") if is_jpeg else tf.io.decode_image(data)
        yield example["key"].numpy().decode(), pixels.numpy()


def _check_written(path: Path, pixels: np.ndarray, result: Comparison) -> None:
    try:
        expected, name = _read_with_pillow(path)
    except Exception as error:
        result.problems.append(f"{path} is written, and Pillow does not read it: {type(error).__name__} {error}")
        return
    result.formats[name] += 1
    difference = np.abs(np.asarray(expected, int) - pixels).max()
    if difference > _MOST_DIFFERENCE:
        result.problems.append(f"{path} ({name}) differs from what Pillow reads by {difference} of 255")


def _check_rejected(path: Path, entry: dict, result: Comparison) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            readings = []
            for value in (0, 85, 170):
                # What an image lacks may be taken from memory that was in use before.
                used = [bytes([value]) * size for size in (1 << 13, 1 << 15, 1 << 17, 3 << 16, 1 << 20)]
                del used
                readings.append(_read_with_pillow(path)[0].tobytes())
    except Exception:  # neither does Pillow
        return
    if len(set(readings)) > 1:
        return
    if entry["reason"] not in ("too_many_pixels", "too_many_bytes", "too_small"):
        result.problems.append(f"{path} is {entry['reason']} ({entry['error']}), and Pillow reads it")


def _read_with_pillow(path: Path) -> tuple[Image.Image, str]:
    """An image as RGB in sRGB on white, upright, its centre cropped and fitted; and its format."""
    data = path.read_bytes()
    Image.init()  # or Pillow does not know the less common formats
    image = Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
    name = image.format or ""
    image.load()
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF, which viewers pass over
        image.getexif().clear()
    if image.mode == "F":
        raise ValueError("floating-point numbers have no range")
    profile, rgba = image.info.get("icc_profile"), None
    if image.mode.startswith("I"):
        levels = np.asarray(image, np.float64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError("more than 16 bits")
        image = Image.fromarray(np.floor(levels / 257 + 0.5).astype(np.uint8))
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"), np.float64)
        image = image.convert("RGB")
    image = _in_srgb(image, profile)
    if rgba is not None:
        alpha = rgba[..., 3:] / 255
        image = Image.fromarray(np.floor(np.asarray(image) * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8))
    return ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.LANCZOS), name


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = opened.profile.xcolor_space.strip()
            source = image.convert("RGB") if space == "RGB" and image.mode != "CMYK" else image
            if {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}.get(source.mode) == space:
                return ImageCms.profileToProfile(source, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):  # damaged: as browsers, take the numbers as they are
            pass
    return image.convert("RGB")


def main() -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with images at any depth")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"{folder} is no folder")
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    with tempfile.TemporaryDirectory() as work:
        result = compare(folder, Path(work))
    print(f"{result.files} files")
    for name, count in [*sorted(result.outcomes.items()), *sorted(result.formats.items())]:
        print(f"{count:7}  {name}")
    for problem in result.problems:
        print(f"problem: {problem}")
    print(f"{len(result.problems)} problems")
    return int(bool(result.problems))


if __name__ == "__main__":
    raise SystemExit(main())
