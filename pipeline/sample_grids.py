"""Grids of translations of the same images in the same styles, to compare two models by eye."""

import numpy as np
from PIL import Image

from stargan_tf.data import records
from stargan_tf.data.images import evenly_spread
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.inference import fonts, grids
from stargan_tf.inference.translator import Translator


class SampleGrids:
    """Draws grids of validation images of all domains.

    Args:
        data: the data directory.
        sources: number of images that are translated.
        styles: number of latent codes, and of references, for each domain.
        seed: of the latent codes.
    """

    def __init__(self, data: DataDirectory, sources: int, styles: int, seed: int):
        self._styles, self._seed = styles, seed
        images = {domain: StoredImages(data, records.split_name("val", domain)) for domain in data.domains}
        # The same number of each domain, so that every domain appears as source and as target.
        per_domain = -(-sources // len(data.domains))
        self._sources = np.concatenate([_spread(of_domain, per_domain) for of_domain in images.values()])[:sources]
        self._references = {domain: _spread(of_domain, styles) for domain, of_domain in images.items()}

    def draw(self, translator: Translator) -> dict[str, Image.Image]:
        """Returns the grids of a translator, by `latent` and `reference`."""
        latents, titles = translator.draw_latents(self._styles, self._seed), fonts.titles(translator.domains)
        seeds = [f"seed {seed}" for seed in range(self._seed, self._seed + self._styles)]
        latent, reference = {}, {}
        for domain in translator.domains:
            latent[titles[domain]] = list(
                translator.translate_all(self._sources, translator.styles_from_latents(latents, domain))
            )
            styles = translator.styles_from_references(self._references[domain], domain)
            reference[titles[domain]] = list(translator.translate_all(self._sources, styles))
        references = {titles[domain]: images for domain, images in self._references.items()}
        return {
            "latent": grids.latent_grid(self._sources, latent, dict.fromkeys(latent, seeds)),
            "reference": grids.reference_grid(self._sources, references, reference),
        }


def _spread(images: StoredImages, count: int) -> np.ndarray:
    return images.read(evenly_spread(range(len(images)), count))
