"""How an image becomes the network's input: decided when data are prepared, and the same wherever the model is used."""

from dataclasses import dataclass, fields, replace
from typing import Literal

from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import Byte

Fit = Literal["crop", "pad", "stretch"]
Colour = tuple[Byte, Byte, Byte]
ValueRange = Literal["full", "file"] | tuple[int, int]


@dataclass(frozen=True)
class ImageConfig:
    """How an image becomes the network's input, as the data directory has it; nobody needs to set these for training.

    Args:
        fit: crop the centre to the aspect ratio wanted, pad with the background, or stretch; by default as the data
            were prepared.
        background: red, green and blue, 0 to 255, behind transparent pixels and around padded images; by default as
            the data were prepared.
        value_range: what becomes black and white of images of more than 8 bits: 0 and 65535 (full), the least and the
            greatest value of each file (file), or two given values; by default as the data were prepared.
    """

    fit: Fit | None = None
    background: Colour | None = None
    value_range: ValueRange | None = None

    def known(self) -> "ImageConfig":
        """Fills in what is not recorded, in data and runs of earlier versions for instance: cropped, on white, full."""
        return replace(
            self,
            fit=self.fit or "crop",
            background=self.background or (255, 255, 255),
            value_range=self.value_range or "full",
        )


UNRECORDED = ImageConfig()


def resolve_images(given: ImageConfig, data: ImageConfig) -> ImageConfig:
    """Combines what a configuration says with what a data directory records.

    Args:
        given: the configuration's.
        data: the data directory's.

    Returns:
        All values, of which the configuration's count only where the data directory has none.

    Raises:
        UserError: they contradict each other.
    """
    check_same_images(given, data, "the configuration's", "images.")
    values = {field.name: getattr(data, field.name) or getattr(given, field.name) for field in fields(ImageConfig)}
    return ImageConfig(**values).known()


def check_same_images(one: ImageConfig, data: ImageConfig, whose: str, prefix: str = "") -> None:
    """Checks that data were prepared as a configuration says; what is recorded on one side only does not count.

    Args:
        one: the configuration's.
        data: the data directory's.
        whose: whose the configuration's values are, for the error.
        prefix: put before the names of fields in the error.

    Raises:
        UserError: a value differs.
    """
    for field in fields(ImageConfig):
        ours, theirs = getattr(one, field.name), getattr(data, field.name)
        if None not in (ours, theirs) and ours != theirs:
            raise UserError(
                f"{whose} {prefix}{field.name} is {_text(ours)} but the data were prepared with {_text(theirs)}; "
                "prepare them alike, or the network sees other images than in training"
            )


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
