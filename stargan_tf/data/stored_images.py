"""The images of one split by number, so that no more of them is in memory than is looked at."""

from collections.abc import Iterable

import numpy as np

from stargan_tf.base.errors import RefusedError
from stargan_tf.data import scaling
from stargan_tf.data.decoding import decode_record
from stargan_tf.data.record_files import CorruptRecord, RecordFiles
from stargan_tf.data.records import DataDirectory


class StoredImages:
    """Reads images of a split as they are stored.

    Args:
        data: the data directory.
        split: name of the split, as from `records.split_name`.

    Raises:
        UserError: there is no such split, or a file is missing.
    """

    def __init__(self, data: DataDirectory, split: str):
        self._data = data
        self._files = RecordFiles(data.shards(split), data.shard_lengths[split])

    def __len__(self) -> int:
        return len(self._files)

    def decode(self, number: int) -> tuple[np.ndarray, memoryview]:
        """Reads an image and its record.

        Args:
            number: which, from 0 on.

        Returns:
            [H, W, 3] float32 in [-1, 1], and the serialized Example.

        Raises:
            RefusedError: the record is corrupt.
        """
        try:
            record = self._files.read(number)
            return scaling.scale(decode_record(record, self._data.image_size, self._data.decoded)), record
        except CorruptRecord as error:
            raise RefusedError(f"{self._files.place(number)} is corrupt: {error}; prepare the data anew") from error

    def read(self, numbers: Iterable[int]) -> np.ndarray:
        """Reads images of these numbers; returns [N, H, W, 3] in the order asked for, otherwise as `decode`."""
        images = [self.decode(number)[0] for number in numbers]
        return np.stack(images) if images else np.zeros((0, *self._data.image_size, 3), np.float32)
