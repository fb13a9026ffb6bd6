"""The model inside Beam's RunInference: a shard of images goes in, its translations come out.

A handler of our own, since Beam's for TensorFlow loads models by Keras 2 and needs tensorflow_hub, and its one for ONNX
cannot be told how many threads to use. RunInference keeps one model for each process, and counts what it takes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler
from PIL import Image

from data_prep.translation.models import Functions, Runtime, load
from data_prep.translation.shards import ReadShard, TranslatedShard
from stargan_tf.data.images import to_array, to_image


class ShardTranslator(ModelHandler[ReadShard, TranslatedShard, Functions]):
    """Translates shards, one at a time.

    Args:
        version: directory of the exported model.
        runtime: what runs it.
        domains: names of its domains.
        codes: style codes [S, style_dim], which every image is drawn in.
        rows: images that go through the network at once.
    """

    def __init__(self, version: str, runtime: Runtime, domains: tuple[str, ...], codes: np.ndarray, rows: int):
        super().__init__()
        self._version, self._runtime, self._domains = version, runtime, domains
        self._codes, self._rows = codes, rows

    def load_model(self) -> Functions:
        """Loads the model, once in each process."""
        return load(self._version, self._runtime, self._domains)

    def should_skip_batching(self) -> bool:
        """Shards are batches: which images are in one must not depend on the moment."""
        return True

    def run_inference(
        self, batch: ReadShard, model: Functions, inference_args: dict[str, Any] | None = None
    ) -> Iterator[TranslatedShard]:
        """Draws the images of a shard, always as many rows at once: on some processors the last bits depend on it."""
        pairs = [(image, code) for image in batch.images for code in self._codes]
        translations = list[Image.Image]()
        for start in range(0, len(pairs), self._rows):
            part = pairs[start : start + self._rows]
            full = [*part, *[part[-1]] * (self._rows - len(part))]
            images = np.stack([to_array(image) for image, _ in full])
            codes = np.stack([code for _, code in full])
            translations += map(to_image, model.translate(images, codes)[: len(part)])
        yield TranslatedShard(batch, translations)

    def get_num_bytes(self, batch: ReadShard) -> int:
        """The size of what goes in, for Beam's counters."""
        return sum(3 * image.width * image.height for image in batch.images)

    def get_metrics_namespace(self) -> str:
        """What Beam's counters are called by."""
        return "translations"
