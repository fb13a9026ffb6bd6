"""How many worker processes a job on this machine is worth: starting one costs seconds."""

import os

from data_prep.sources import SourceImage
from stargan_tf.base import files
from stargan_tf.data.images import evenly_spread

# Measured with one processor: an image of 16 pixels takes 0.6 ms, one of 256 pixels and 17 KB 1 ms, of 178 x 218 pixels
# and 10 KB 2 ms, of 12 megapixels and 2.9 MB 117 ms. A process imports Beam for 2 to 3 s before it does anything.
_SECONDS_PER_IMAGE = 0.6e-3
_SECONDS_PER_BYTE = 40e-9
_SECONDS_PER_PROCESS = 5.0

_SAMPLES = 16  # a store may take a while to tell each size


class Work:
    """An estimate of what images will take, from the sizes of a few."""

    def __init__(self) -> None:
        self._count = 0
        self._samples: list[SourceImage] = []
        self._step = 1

    def add(self, image: SourceImage) -> None:
        """Counts an image, or a file of many; a few of all are remembered, at equal distances."""
        if self._count % self._step == 0:
            self._samples.append(image)
            if len(self._samples) == 2 * _SAMPLES:
                del self._samples[1::2]
                self._step *= 2
        self._count += 1

    def seconds(self, num_images: int) -> float:
        """Returns how long one process would work on what was added, which are so many images."""
        sizes = []
        for image in evenly_spread(self._samples, _SAMPLES):
            place = image.location
            try:
                sizes.append(place.size or files.size(place.path))
            except OSError:  # which the job will tell
                continue
        mean = sum(sizes) / len(sizes) if sizes else 0
        return _SECONDS_PER_IMAGE * num_images + _SECONDS_PER_BYTE * mean * self._count


def count_processes(seconds: float) -> int:
    """Returns how many processes are worth starting for work that one would do in so many seconds."""
    return max(1, min(os.cpu_count() or 1, int(seconds / _SECONDS_PER_PROCESS)))
