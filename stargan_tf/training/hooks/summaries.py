"""What a run writes down to be looked at: TensorBoard, metrics.jsonl and sample grids."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from stargan_tf.config import Config
from stargan_tf.data import records
from stargan_tf.data.images import evenly_spread
from stargan_tf.data.input_pipeline import read_images
from stargan_tf.data.records import DataDirectory
from stargan_tf.inference import fonts, grids
from stargan_tf.inference.translator import Translator
from stargan_tf.runs import event_files, run_directory
from stargan_tf.runs.run_directory import LOGS, writing
from stargan_tf.training.summaries import settings, tags

SAMPLES = "samples"

# Of the sample grids: images of each domain as sources, and styles of each domain.
_SOURCES_PER_DOMAIN = 3
_STYLES = 4

# Of the small pictures with which TensorBoard begins.
_SHOWN_SOURCES, _SHOWN_DOMAINS = 6, 4


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
        with writing(run):
            settings.write(config, run)
            self._writer = tf.summary.create_file_writer(str(run / LOGS))
        (run / SAMPLES).mkdir(exist_ok=True)
        self._titles = fonts.titles(data.domains, run / SAMPLES)
        self._images = {}
        for domain in data.domains:
            split = records.split_name("val", domain)
            if data.num_examples.get(split, 0) == 0:
                split = records.split_name("train", domain)
            self._images[domain], _, _ = read_images(data, split, max(_SOURCES_PER_DOMAIN, _STYLES))
        self._seeds = [f"seed {config.training.seed + index}" for index in range(_STYLES)]
        self._latents = translator.draw_latents(_STYLES, config.training.seed)

    def write_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Appends scalars by name to TensorBoard and metrics.jsonl."""
        self.show_metrics(step, metrics)
        run_directory.append_metrics(self._run, {"step": step, **metrics})

    def show_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends scalars by name to TensorBoard alone."""
        with writing(self._run), self._writer.as_default(step):
            for name, value in metrics.items():
                tag = tags.tag_of(name)
                tf.summary.scalar(tag.name, value, description=tag.description)
            self._writer.flush()  # a process that is killed loses nothing that metrics.jsonl has

    def show_note(self, title: str, text: str) -> None:
        """Shows a text on TensorBoard that is about the run as a whole."""
        with writing(self._run), self._writer.as_default(0):  # what belongs to later steps is cut when a run goes back
            tf.summary.text(title, text)
            self._writer.flush()

    def go_back(self, step: int) -> None:
        """Removes from TensorBoard's files what was recorded after a step, which is recorded again."""
        with writing(self._run):
            self._writer.close()
            event_files.cut(self._run, step)
            self._writer = tf.summary.create_file_writer(str(self._run / LOGS))

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
        shown = evenly_spread(range(len(sources)), _SHOWN_SOURCES)
        domains = list(latent_guided)[:_SHOWN_DOMAINS]
        overviews = {
            tags.LATENT_GUIDED: grids.overview(
                sources[shown], {domain: latent_guided[domain][0][shown] for domain in domains}
            ),
            tags.REFERENCE_GUIDED: grids.overview(
                sources[shown],
                {domain: reference_guided[domain][0][shown] for domain in domains},
                {domain: references[domain][0] for domain in domains},
            ),
        }
        pictures = {
            "latent_guided": grids.latent_grid(sources, latent_guided, dict.fromkeys(latent_guided, self._seeds)),
            "reference_guided": grids.reference_grid(sources, references, reference_guided),
        }
        for name, picture in pictures.items():
            with writing(self._run):
                picture.save(self._run / SAMPLES / f"{name}_{step:07d}.png")
        overviews |= {
            tags.LATENT_GRID: pictures["latent_guided"],
            tags.REFERENCE_GRID: pictures["reference_guided"],
        }
        with writing(self._run), self._writer.as_default(step):
            for tag, picture in overviews.items():
                tf.summary.image(tag, np.asarray(picture)[None])
            self._writer.flush()
