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
