"""What passes between the steps of the job, within one worker."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from data_prep.sources import SourceImage


@dataclass(frozen=True)
class ReadShard:
    """A shard whose images were read.

    Args:
        index: which shard.
        sources: where its images come from, in the order of their keys.
        images: what the network is to see of each.
        rejected: path, domain, reason and exact error of each image that cannot be translated.
    """

    index: int
    sources: Sequence[SourceImage]
    images: Sequence[Image.Image]
    rejected: Sequence[dict[str, str]]

    def __len__(self) -> int:
        return len(self.images)  # which RunInference counts


@dataclass(frozen=True)
class TranslatedShard:
    """A shard that was translated.

    Args:
        read: what was read.
        translations: each image in each style: those of the first image first.
    """

    read: ReadShard
    translations: Sequence[Image.Image]
