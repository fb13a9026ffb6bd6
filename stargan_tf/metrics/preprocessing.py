"""Preparation of images for a network: size, range, mean and deviation, layout."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import to_array, to_image


@dataclass(frozen=True)
class Preprocessing:
    """Turns images into the input of a network.

    Args:
        size: height and width in pixels that images are resized to; None leaves them as they are.
        value_range: values of black and white.
        mean: of red, green and blue, in that range; subtracted.
        std: of red, green and blue; divides what is left.
        layout: NHWC or NCHW.
        dtype: float32, float16 or uint8.
        rounded: whether images are rounded to 8 bits, before and after they are resized. Real images are stored with 8
            bits, so generated ones are compared fairly only if they are too; the published evaluation writes them to
            files.
    """

    size: tuple[int, int] | None = None
    value_range: tuple[float, float] = (-1.0, 1.0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "NHWC"
    dtype: str = "float32"
    rounded: bool = True

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Prepares images.

        Args:
            images: [N, H, W, 3] float32 in [-1, 1].

        Returns:
            [N, *size, 3], or [N, 3, *size], of `dtype`.

        Raises:
            UserError: images are not finite.
        """
        if not np.isfinite(images).all():
            raise UserError("there are images with values that are not finite; the run that drew them has diverged")
        if self.rounded:
            images = np.stack([to_array(self._resize(to_image(image))) for image in images])
        elif self.size is not None and images.shape[1:3] != self.size:
            images = np.stack([self._resize_unrounded(image) for image in images])
        low, high = self.value_range
        images = low + (images + 1) * ((high - low) / 2)
        images = (images - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        if self.dtype == "uint8":
            images = np.rint(images)
        if self.layout == "NCHW":
            images = images.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(images, self.dtype)

    def _resize(self, image: Image.Image) -> Image.Image:
        """Resizes bilinearly, with antialiasing; an image of the right size stays as it is."""
        height, width = self.size or (image.height, image.width)
        return image.resize((width, height), Image.Resampling.BILINEAR)

    def _resize_unrounded(self, image: np.ndarray) -> np.ndarray:
        channels = [self._resize(Image.fromarray(channel)) for channel in np.moveaxis(image, -1, 0)]
        return np.stack([np.asarray(channel) for channel in channels], axis=-1)
