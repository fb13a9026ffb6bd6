"""The translator: styles from latent codes or references, and images in those styles."""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stargan_tf.config import Config
from stargan_tf.inference.inputs import known_domain
from stargan_tf.networks import Networks
from stargan_tf.networks.face_masks import find_masks
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs import face_network as face_networks
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoints import load_ema

# Latent codes whose styles are averaged for truncation, as many as in the published evaluation.
MEAN_STYLE_LATENTS = 10_000
# Least number of latent codes mapped at once: they are far smaller than images, and ten thousand calls take minutes.
_LATENT_BATCH = 1000


class Translator:
    """Translates images with trained networks.

    Images are float32 arrays [N, H, W, 3] in [-1, 1], style codes [N, style_dim]. Work is done in batches of
    `batch_size`, so memory does not grow with N. Its compiled functions, which other graphs may call:

    - `encode(images)`: a tuple of what is independent of the style: features and, with `face_network`, masks;
    - `decode(style, *encoded)`: images, not clipped;
    - `encode_style(images, domains)` and `map(latents, domains)`: style codes; domains are int32 [N].

    Args:
        networks: G, F and E.
        config: of the run they come from.
        batch_size: images translated at once.
        face_network: finds the masks of the high-pass skip; without it nothing is carried over.
        step: number of steps that the networks were trained for, if it is known.
        fixed: whether the weights stay as they are, so that what follows from them is computed only once; those of a
            run that trains move.
    """

    def __init__(
        self,
        networks: Networks,
        config: Config,
        batch_size: int = 16,
        face_network: FaceNetwork | None = None,
        step: int | None = None,
        fixed: bool = False,
    ):
        assert config.domains is not None, "a run's configuration has its domains"
        self.domains = tuple(config.domains)
        self.image_size = config.model.size
        self.image_config = config.images.known()  # how images become the networks' input
        self.latent_dim = config.model.latent_dim
        self.style_dim = config.model.style_dim
        self.batch_size = batch_size
        self.step = step
        self._fixed = fixed
        self.variables = [variable for _, network in networks.items() for variable in network.variables]
        if face_network is not None:
            self.variables += face_network.variables

        def encode(images):
            features = networks.generator.encode(images)
            return (features,) if face_network is None else (features, find_masks(face_network, images))

        def decode(style, features, masks=None):
            return networks.generator.decode(features, style, masks)

        images = tf.TensorSpec((None, *self.image_size, 3), tf.float32)
        domains = tf.TensorSpec((None,), tf.int32)
        styles = tf.TensorSpec((None, self.style_dim), tf.float32)
        latents = tf.TensorSpec((None, self.latent_dim), tf.float32)
        self.encode = _compile(encode, images)
        encoded = self.encode.get_concrete_function().structured_outputs
        self.decode = _compile(decode, styles, *tf.nest.map_structure(tf.TensorSpec.from_tensor, encoded))
        self.encode_style = _compile(networks.style_encoder, images, domains)
        self.map = _compile(networks.mapping_network, latents, domains)

    @classmethod
    def from_run(cls, run: Path, batch_size: int = 16, checkpoint: str = "latest") -> "Translator":
        """Loads the averaged networks of a checkpoint.

        Args:
            run: the run directory.
            batch_size: images translated at once.
            checkpoint: `latest`, or `best` by the evaluations during training.

        Returns:
            The translator.

        Raises:
            UserError: it is not a run directory, or has no such checkpoint yet.
        """
        config = run_directory.load_config(run)
        networks, step = load_ema(config, run, checkpoint)
        return cls(networks, config, batch_size, face_networks.load_for(config, run), step, fixed=True)

    def domain_index(self, name: str) -> int:
        """Returns the index of a domain.

        Raises:
            UserError: there is no such domain.
        """
        return self.domains.index(known_domain(name, self.domains))

    def draw_latents(self, count: int, seed: int) -> np.ndarray:
        """Draws latent codes [count, latent_dim] of the seeds `seed`, `seed + 1` and so on; see `latents_of_seeds`."""
        return latents_of_seeds(tf.range(seed, seed + count, dtype=tf.int64), self.latent_dim).numpy()

    def styles_from_latents(self, latents: np.ndarray, domain: str, psi: float = 1.0) -> np.ndarray:
        """Maps latent codes to styles of a domain.

        Args:
            latents: [N, latent_dim].
            domain: its name.
            psi: truncation: 1 for the style as it is, 0 for the domain's mean style; values between trade variety for
                typicality.

        Returns:
            Style codes, [N, style_dim].
        """
        index = self.domain_index(domain)
        domains = np.full(len(latents), index, np.int32)
        styles = self._in_batches(self.map, latents, domains, size=max(self.batch_size, _LATENT_BATCH))
        if psi == 1.0:
            return styles
        mean = self.mean_styles[index]
        return mean + np.float32(psi) * (styles - mean)

    def styles_from_references(self, references: np.ndarray, domain: str) -> np.ndarray:
        """Encodes the styles of images [N, H, W, 3] as images of a domain; returns [N, style_dim]."""
        domains = np.full(len(references), self.domain_index(domain), np.int32)
        return self._in_batches(self.encode_style, references, domains, size=self.batch_size)

    def translate(self, images: np.ndarray, styles: np.ndarray) -> np.ndarray:
        """Draws each image in the style of the same position.

        Args:
            images: [N, H, W, 3] in [-1, 1].
            styles: [N, style_dim].

        Returns:
            [N, H, W, 3], clipped to [-1, 1].
        """
        parts = [self.decode(tf.constant(styles[part]), *encoded).numpy() for part, encoded in self._encoded(images)]
        return np.clip(np.concatenate(parts), -1.0, 1.0)

    def translate_all(self, images: np.ndarray, styles: np.ndarray) -> np.ndarray:
        """Draws every image in every style.

        Args:
            images: [N, H, W, 3] in [-1, 1].
            styles: [S, style_dim], or [S, N, style_dim] where each image has styles of its own.

        Returns:
            [S, N, H, W, 3], clipped to [-1, 1].
        """
        if styles.ndim == 2:
            styles = np.broadcast_to(styles[:, None], (len(styles), len(images), styles.shape[1]))
        outputs = np.empty((len(styles), *images.shape), np.float32)
        for part, encoded in self._encoded(images):  # once for all styles
            for output, style in zip(outputs, styles, strict=True):
                output[part] = self.decode(tf.constant(style[part]), *encoded).numpy()
        return np.clip(outputs, -1.0, 1.0, out=outputs)

    def each_style(self, images: np.ndarray, styles: np.ndarray) -> Iterator[np.ndarray]:
        """Draws images in one style after another: encodes them once, and holds only one batch of outputs at a time.

        Args:
            images: [N, H, W, 3] in [-1, 1], at most `batch_size`.
            styles: [S, style_dim].

        Yields:
            For each style [N, H, W, 3], clipped to [-1, 1].

        Raises:
            ValueError: there are more images than `batch_size`.
        """
        if len(images) > self.batch_size:
            raise ValueError(f"{len(images)} images are more than the batch size, {self.batch_size}")
        encoded = self.encode(tf.constant(images))
        together = self.batch_size // len(images)  # styles that fit into a batch
        for start in range(0, len(styles), together):
            part = styles[start : start + together]
            repeated = tf.nest.map_structure(
                lambda values: tf.tile(values, [len(part), *[1] * (len(values.shape) - 1)]),  # noqa: B023
                encoded,
            )
            outputs = self.decode(tf.constant(np.repeat(part, len(images), 0)), *repeated).numpy()
            yield from np.clip(outputs, -1.0, 1.0).reshape(len(part), *images.shape)

    @property
    def fingerprint(self) -> str:
        """A hash of all weights as they are now, 12 hexadecimal digits."""
        return self._fixed_fingerprint if self._fixed else self._hash_weights()

    @property
    def mean_styles(self) -> np.ndarray:
        """The mean style of each domain, [D, style_dim], towards which truncation moves styles."""
        return self._fixed_mean_styles if self._fixed else self._average_styles()

    @cached_property
    def _fixed_fingerprint(self) -> str:
        return self._hash_weights()

    @cached_property
    def _fixed_mean_styles(self) -> np.ndarray:
        return self._average_styles()

    def _hash_weights(self) -> str:
        digest = hashlib.sha256()
        for variable in self.variables:
            digest.update(variable.numpy().tobytes())
        return digest.hexdigest()[:12]

    def _average_styles(self) -> np.ndarray:
        latents = np.random.default_rng(0).standard_normal((MEAN_STYLE_LATENTS, self.latent_dim), np.float32)
        return np.stack([self.styles_from_latents(latents, domain).mean(axis=0) for domain in self.domains])

    def _encoded(self, images: np.ndarray) -> Iterator[tuple[slice, tuple]]:
        """Yields what `encode` gives, a batch at a time."""
        for start in range(0, len(images), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield part, self.encode(tf.constant(images[part]))

    def _in_batches(self, function: Callable, *arrays: np.ndarray, size: int) -> np.ndarray:
        parts = [
            function(*(tf.constant(array[start : start + size]) for array in arrays)).numpy()
            for start in range(0, len(arrays[0]), size)
        ]
        return np.concatenate(parts)


def latents_of_seeds(seeds: tf.Tensor, latent_dim: int) -> tf.Tensor:
    """Draws latent codes in a graph, each from its own seed alone.

    Args:
        seeds: int64 [N].
        latent_dim: length of a latent code.

    Returns:
        float32 [N, latent_dim]; the same seed gives the same code, here and in every exported model.
    """

    def draw(seed):
        # The algorithm is named, since the default depends on the device.
        return tf.random.stateless_normal([latent_dim], tf.stack([seed, 0]), alg="philox")

    return tf.map_fn(draw, seeds, fn_output_signature=tf.TensorSpec([latent_dim], tf.float32))


def _compile(function: Callable, *signature) -> Any:
    """Compiles a function once for all batch sizes."""
    return tf.function(lambda *inputs: function(*inputs), input_signature=signature, autograph=False)
