"""The discriminator D: is this a real image of the given domain?"""

import keras
import tensorflow as tf

from stargan_tf.networks.convolution import SpectralConv2D, conv
from stargan_tf.networks.layers import widen
from stargan_tf.networks.residual_blocks import Trunk


@keras.saving.register_keras_serializable(package="stargan_tf")
class Discriminator(keras.Model):
    """Multi-task discriminator of StarGAN v2 (paper, appendix F, table 7).

    Args:
        image_size: height and width in pixels.
        base_channels: channels at full resolution.
        max_channels: where the doubling of channels stops.
        num_domains: number of domains.
        spectral_norm: spectral normalization of every convolution (not in the paper).
        fused: compute the blocks in their fused forms: the same function, see `convolution.Conv2D`.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        base_channels: int,
        num_domains: int,
        max_channels: int = 512,
        spectral_norm: bool = False,
        fused: bool = False,
        **kwargs,
    ):
        kwargs.setdefault("name", "discriminator")
        super().__init__(**kwargs)
        self.image_size = tuple(image_size)
        self.base_channels = base_channels
        self.max_channels = max_channels
        self.num_domains = num_domains
        self.spectral_norm = spectral_norm
        self.fused = fused
        dtype = self.dtype_policy
        self.trunk = Trunk(
            self.image_size, base_channels, max_channels, spectral_norm, fused, dtype=dtype, name="trunk"
        )
        self.logits = conv(self.trunk.out_channels, num_domains, 1, dtype, spectral_norm, name="logits")
        self.built = True

    def call(self, images, domain):
        """Maps images [B, H, W, 3] in [-1, 1] and domains [B] to logits [B], positive for real."""
        logits = self.logits(self.trunk(images)[:, None, None])[:, 0, 0]  # [B, K]
        return widen(tf.gather(logits, domain, axis=1, batch_dims=1))

    def advance_spectral_norm(self) -> None:
        """Improves the estimates of the largest singular values, if any; to be called once per update."""
        for layer in self._flatten_layers():
            if isinstance(layer, SpectralConv2D):
                layer.advance()

    def get_config(self):
        return super().get_config() | {
            "image_size": self.image_size,
            "base_channels": self.base_channels,
            "max_channels": self.max_channels,
            "num_domains": self.num_domains,
            "spectral_norm": self.spectral_norm,
            "fused": self.fused,
        }
