"""A data set with known factors: `python -m data_prep.synthetic --output DIR`.

The domain is a kind of shape; the style is how it is drawn (hue, texture, outline); the content is its place, its size
and the background. A translation is right if the domain is that of the target, the content that of the source, and the
style that of the reference; since all factors are stored, this can be measured.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from stargan_tf.base import command_line, progress
from stargan_tf.base.ranges import ImageSide, NonNegativeInt, PositiveInt
from stargan_tf.base.writing import whole_directory

PROGRAM = "python -m data_prep.synthetic"

DOMAINS = ("circle", "square", "triangle")
TEXTURES = ("plain", "stripes", "checks")
OUTLINES = ("none", "dark", "light")

ATTRIBUTES_FILE = "attributes.jsonl"

# All lengths are fractions of the image's side. At 32 pixels an outline is 1.6 pixels wide, and a stripe 3 pixels.
_RADIUS_RANGE = (0.18, 0.28)
_MARGIN = 0.04
_OUTLINE_WIDTH = 0.05
_TEXTURE_PITCH = 0.095

# Sizes for the area of a unit circle: an equilateral triangle's circumscribed radius, and half the side of a square.
_TRIANGLE_RADIUS = math.sqrt(4 * math.pi / (3 * math.sqrt(3)))
_SQUARE_HALF_SIDE = math.sqrt(math.pi) / 2

# Shapes are drawn at this multiple of the size and averaged, for antialiasing.
_SUPERSAMPLING = 8

_OUTLINE_COLORS = {"dark": (16, 16, 16), "light": (245, 245, 245)}


@dataclass(frozen=True)
class Factors:
    """Everything that determines an image.

    Args:
        domain: one of `DOMAINS`.
        hue: style; hue of the fill colour, 0 to 1.
        texture: style; one of `TEXTURES`, in a darker tone of the same hue.
        outline: style; one of `OUTLINES`.
        x: content; distance of the shape's centroid from the left, as a fraction of the side.
        y: content; distance of the shape's centroid from the top, as a fraction of the side.
        radius: content; radius of the circle with the same area as the shape, as a fraction of the side.
        background: content; brightness in the middle of the image, 0 to 1.
        gradient: content; change of the background's brightness over one side.
        gradient_angle: content; direction in which it gets brighter, in radians clockwise from the right.
    """

    domain: str
    hue: float
    texture: str
    outline: str
    x: float
    y: float
    radius: float
    background: float
    gradient: float
    gradient_angle: float


def random_factors(domain: str, rng: np.random.Generator) -> Factors:
    """Draws style and content, from the same distribution for all domains.

    Args:
        domain: one of `DOMAINS`.
        rng: the source of randomness.

    Returns:
        Factors of a shape that lies inside the image, with a margin.
    """
    radius = rng.uniform(*_RADIUS_RANGE)
    # Room for the widest shape of this area; the same for all shapes, or the place would give the domain away.
    half_width = _TRIANGLE_RADIUS * math.sqrt(3) / 2 * radius + _MARGIN
    above = _TRIANGLE_RADIUS * radius + _MARGIN
    below = radius + _MARGIN
    return Factors(
        domain=domain,
        hue=rng.uniform(0, 1),
        texture=str(rng.choice(TEXTURES)),
        outline=str(rng.choice(OUTLINES)),
        x=rng.uniform(half_width, 1 - half_width),
        y=rng.uniform(above, 1 - below),
        radius=radius,
        background=rng.uniform(0.25, 0.75),
        gradient=rng.uniform(0, 0.3),
        gradient_angle=rng.uniform(0, 2 * math.pi),
    )


def draw(factors: Factors, image_size: int) -> Image.Image:
    """Draws one image; a pure function of its arguments.

    Args:
        factors: what to draw.
        image_size: height and width in pixels.

    Returns:
        An RGB image.
    """
    side = image_size * _SUPERSAMPLING
    canvas = _background(factors, image_size).resize((side, side), Image.Resampling.NEAREST)
    if factors.outline == "none":
        canvas.paste(_fill(factors, side), mask=_shape(factors, side, inset=0.0))
    else:
        canvas.paste(_OUTLINE_COLORS[factors.outline], mask=_shape(factors, side, inset=0.0))
        canvas.paste(_fill(factors, side), mask=_shape(factors, side, inset=_OUTLINE_WIDTH))
    return canvas.reduce(_SUPERSAMPLING)


def _background(factors: Factors, image_size: int) -> Image.Image:
    """Grey with a linear gradient; it has no hue, so it cannot be mistaken for a style."""
    position = (np.arange(image_size) + 0.5) / image_size - 0.5
    along = position[None, :] * math.cos(factors.gradient_angle) + position[:, None] * math.sin(factors.gradient_angle)
    brightness = np.clip(factors.background + factors.gradient * along, 0, 1)
    return Image.fromarray(np.round(255 * brightness).astype(np.uint8)).convert("RGB")


def _shape(factors: Factors, side: int, inset: float) -> Image.Image:
    """A mask of the shape with its edge moved inwards by `inset`, a fraction of the side."""
    mask = Image.new("1", (side, side))
    pen = ImageDraw.Draw(mask)
    x, y = factors.x * side, factors.y * side
    radius, inset = factors.radius * side, inset * side
    if factors.domain == "circle":
        radius -= inset
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    elif factors.domain == "square":
        half_side = _SQUARE_HALF_SIDE * radius - inset
        pen.rectangle((x - half_side, y - half_side, x + half_side, y + half_side), fill=1)
    elif factors.domain == "triangle":
        # The inscribed circle of an equilateral triangle has half the radius of the circumscribed one.
        radius = _TRIANGLE_RADIUS * radius - 2 * inset
        half_width = radius * math.sqrt(3) / 2
        pen.polygon([(x, y - radius), (x - half_width, y + radius / 2), (x + half_width, y + radius / 2)], fill=1)
    else:
        raise ValueError(f"domain {factors.domain!r} is none of {', '.join(DOMAINS)}")
    return mask


def _fill(factors: Factors, side: int) -> Image.Image:
    """The fill colour with its texture, whose phase is fixed to the centre of the shape."""
    tone = ImageColor.getrgb(f"hsv({360 * factors.hue:.4f}, 90%, 95%)")
    dark_tone = ImageColor.getrgb(f"hsv({360 * factors.hue:.4f}, 90%, 45%)")
    fill = Image.new("RGB", (side, side), tone)
    if factors.texture == "plain":
        return fill
    pitch = _TEXTURE_PITCH * side
    offsets = [(i - 0.5) * pitch for i in range(-10, 11)]  # beyond the largest shape
    pen = ImageDraw.Draw(fill)
    for row, dy in enumerate(offsets):
        top = factors.y * side + dy
        if factors.texture == "stripes":
            if row % 2:
                pen.rectangle((0, top, side, top + pitch), fill=dark_tone)
        elif factors.texture == "checks":
            for column, dx in enumerate(offsets):
                if (row + column) % 2:
                    left = factors.x * side + dx
                    pen.rectangle((left, top, left + pitch, top + pitch), fill=dark_tone)
        else:
            raise ValueError(f"texture {factors.texture!r} is none of {', '.join(TEXTURES)}")
    return fill


@dataclass(frozen=True)
class Arguments:
    """What to draw.

    Args:
        output: directory to write: train/DOMAIN/NNNNN.png, val/DOMAIN/NNNNN.png and attributes.jsonl.
        image_size: height and width in pixels.
        train_per_domain: number of training images of each domain.
        val_per_domain: number of validation images of each domain.
        seed: other seeds give other images.
    """

    output: str
    image_size: ImageSide = 32
    train_per_domain: PositiveInt = 1000
    val_per_domain: PositiveInt = 100
    seed: NonNegativeInt = 0


def write(arguments: Arguments) -> None:
    """Writes the data set.

    Args:
        arguments: what to draw.

    Raises:
        UserError: a number out of range, or an output directory that is not empty.
    """
    command_line.check_ranges(arguments)
    with whole_directory(arguments.output) as directory:
        for split in ("train", "val"):
            for domain in DOMAINS:
                (directory / split / domain).mkdir(parents=True)
        images = list(_images(arguments))
        with (directory / ATTRIBUTES_FILE).open("w") as attributes:
            for path, factors in progress.each(images, "drawing", "images"):
                draw(factors, arguments.image_size).save(directory / path)
                attributes.write(json.dumps({"path": path, "attributes": asdict(factors)}) + "\n")
    print(f"{len(images)} images of {', '.join(DOMAINS)} in {Path(arguments.output)}")


def _images(arguments: Arguments) -> Iterator[tuple[str, Factors]]:
    """Path and factors of every image; each has its own seed, so that it stays the same when counts grow."""
    for split, count in (("train", arguments.train_per_domain), ("val", arguments.val_per_domain)):
        for domain in DOMAINS:
            for index in range(count):
                path = f"{split}/{domain}/{index:05d}.png"
                yield path, random_factors(domain, np.random.default_rng([arguments.seed, *path.encode()]))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, write, PROGRAM, "Draws shapes with known factors.", argv)


if __name__ == "__main__":
    sys.exit(main())
