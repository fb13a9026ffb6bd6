"""Running the job in tests, and looking at what it wrote."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.images_to_tfrecords import main
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.tfrecord import read_records


def run(source, output, *flags) -> int:
    """Prepares images at 16 x 24 pixels; returns the exit code."""
    return main(["--input", str(source), "--output", str(output), "--image_size", "[16,24]", *flags])


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    """An image that is like no other."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def write_images(root: Path, per_domain: int, height: int = 20, width: int = 24) -> Path:
    """Writes images of two domains, with a bad one and a duplicate; returns their folder."""
    for number, domain in enumerate(("cat", "dog")):
        (root / domain).mkdir(parents=True)
        for index in range(per_domain):
            noise(height, width, 1000 * number + index).save(root / domain / f"{index}.png")
    (root / "cat" / "bad.png").write_text("I am no image.")
    (root / "dog" / "same.png").write_bytes((root / "dog" / "3.png").read_bytes())
    return root


def read_all(directory: Path) -> dict[str, bytes]:
    """The contents of the files below a directory, by path."""
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def read_lines(file: Path) -> list[dict]:
    """JSON lines."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def read_images(directory: Path) -> dict[str, np.ndarray]:
    """Pixels of all examples, by key; of raw ones [pixels]."""
    images = {}
    for example in read_examples(directory).values():
        data = example["image"][0]
        images[example["key"][0].decode()] = np.asarray(Image.open(io.BytesIO(data)))
    return images


def read_examples(directory: Path) -> dict[tuple[str, str], dict]:
    """All examples, by split and key."""
    examples = {}
    for file in sorted(directory.glob("*.tfrecord-*")):
        split = file.name.partition("-")[2].partition(".")[0]
        with file.open("rb") as opened:
            for record in read_records(opened):
                example = decode_example(record)
                examples[split, example["key"][0].decode()] = example
    return examples
