"""The settings of batches and of augmentation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from stargan_tf.base.ranges import NonNegativeInt, PositiveInt, Share
from stargan_tf.config.fields import MAY_CHANGE


@dataclass(frozen=True)
class DataConfig:
    """Batches and augmentation.

    Args:
        batch_size: source images of one step, over all devices together.
        max_corrupt_records: how many damaged records may be skipped, each counted once, before it is an error.
        crop_probability: share of images that are cropped at random.
        crop_area: smallest and largest share of the area that a random crop keeps.
        crop_ratio: smallest and largest width / height of a random crop, relative to that of the image.
        flip_probability: share of images that are mirrored.
    """

    # Earlier versions wrote these into every config.yaml; leaving them out changes nothing, for the reason given.
    REMOVED: ClassVar[Mapping[str, str]] = {"reader_processes": "threads read the same batches"}

    batch_size: PositiveInt = 8
    max_corrupt_records: NonNegativeInt = field(default=0, metadata=MAY_CHANGE)
    crop_probability: Share = 0.5
    crop_area: tuple[float, float] = (0.8, 1.0)
    crop_ratio: tuple[float, float] = (0.9, 1.1)
    flip_probability: Share = 0.5
