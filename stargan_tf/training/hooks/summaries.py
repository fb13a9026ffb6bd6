"""What a run writes down to be looked at: TensorBoard, metrics.jsonl and sample grids."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from stargan_tf.config import Config
from stargan_tf.data import records
from stargan_tf.data.input_pipeline import read_images
from stargan_tf.data.records import DataDirectory
from stargan_tf.inference import fonts, grids
from stargan_tf.inference.translator import Translator
from stargan_tf.runs import run_directory
from stargan_tf.runs.run_directory import LOGS, writing

SAMPLES = "samples"

# Of the sample grids: images of each domain as sources, and styles of each domain.
_SOURCES_PER_DOMAIN = 3
_STYLES = 4


class Summaries:
    """Writes measurements and pictures of a run.

    Args:
        config: resolved.
        data: the data directory, whose validation images (or training images, if a domain has no others) are drawn.
        translator: of the averaged networks.
        run: the run directory.
    """

    def __init__(self, config: Config, data: DataDirectory, translator: Translator, run: Path):
        self._translator = translator
        self._run = run
        self._writer = tf.summary.create_file_writer(str(run / LOGS))
        (run / SAMPLES).mkdir(exist_ok=True)
        self._titles = fonts.titles(data.domains, run / SAMPLES)
        self._images = {}
        for domain in data.domains:
            split = records.split_name("val", domain)
            if data.num_examples.get(split, 0) == 0:
                split = records.split_name("train", domain)
            self._images[domain], _, _ = read_images(data, split, max(_SOURCES_PER_DOMAIN, _STYLES))
        self._latents = translator.draw_latents(_STYLES, config.training.seed)

    def write_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Appends scalars by name to TensorBoard and metrics.jsonl."""
        with writing(self._run), self._writer.as_default(step):
            for name, value in metrics.items():
                tf.summary.scalar(name, value)
        run_directory.append_metrics(self._run, {"step": step, **metrics})

    def write_samples(self, step: int) -> None:
        """Draws the sample grids, as PNG files in samples/ and on TensorBoard."""
        sources = np.concatenate([images[:_SOURCES_PER_DOMAIN] for images in self._images.values()])
        translator = self._translator
        latent_guided, reference_guided, references = {}, {}, {}
        for domain, images in self._images.items():
            title = self._titles[domain]
            styles = translator.styles_from_latents(self._latents, domain)
            latent_guided[title] = list(translator.translate_all(sources, styles))
            # From the end, so that where there are enough images no source is its own reference.
            references[title] = images[-_STYLES:]
            styles = translator.styles_from_references(references[title], domain)
            reference_guided[title] = list(translator.translate_all(sources, styles))
        pictures = {
            "latent_guided": grids.latent_grid(sources, latent_guided),
            "reference_guided": grids.reference_grid(sources, references, reference_guided),
        }
        for name, picture in pictures.items():
            with writing(self._run), self._writer.as_default(step):
                picture.save(self._run / SAMPLES / f"{name}_{step:07d}.png")
                tf.summary.image(name, np.asarray(picture)[None])

    def flush(self) -> None:
        """Makes sure that TensorBoard sees everything so far."""
        with writing(self._run):
            self._writer.flush()
