"""The discriminator D: is this a real image of the given domain? (paper, appendix F, table 7)"""

import keras
import tensorflow as tf

from stargan_tf.networks.convolution import Conv2D, conv
from stargan_tf.networks.layers import Network, widen
from stargan_tf.networks.residual_blocks import Trunk
from stargan_tf.networks.spectral_normalization import SpectralConv2D


@keras.saving.register_keras_serializable(package="stargan_tf")
class Discriminator(Network):
    """A trunk for all domains, then one logit for each domain.

    Args:
        num_domains: number of domains.
        spectral_norm: spectral normalization of every convolution (not in the paper).
        dtype: Keras dtype policy.
        name: of the network.
        **trunk: what `Trunk` takes.
    """

    def __init__(self, num_domains: int, spectral_norm: bool = False, dtype=None, name: str = "discriminator", **trunk):
        super().__init__({"num_domains": num_domains, "spectral_norm": spectral_norm} | trunk, name, dtype)
        kind, dtype = SpectralConv2D if spectral_norm else Conv2D, self.dtype_policy
        self.trunk = Trunk(kind=kind, dtype=dtype, name="trunk", **trunk)
        self.logits = conv(self.trunk.out_channels, num_domains, 1, dtype, kind, name="logits")
        self.built = True

    def call(self, images, domain):
        """Maps images [B, H, W, 3] in [-1, 1] and domains [B] to logits [B], positive for real."""
        logits = self.logits(self.trunk(images)[:, None, None])[:, 0, 0]  # [B, K]: of all K domains
        return widen(tf.gather(logits, domain, axis=1, batch_dims=1))  # [B]

    def advance_spectral_norm(self) -> None:
        """Improves the estimates of the largest singular values, if any; to be called once per update."""
        for layer in self._flatten_layers():
            if isinstance(layer, SpectralConv2D):
                layer.advance()
