"""The style encoder E: a reference image becomes its style, seen as an image of the given domain."""

import keras

from stargan_tf.networks.layers import DomainDense, select_domain, widen
from stargan_tf.networks.residual_blocks import Trunk


@keras.saving.register_keras_serializable(package="stargan_tf")
class StyleEncoder(keras.Model):
    """Style encoder of StarGAN v2 (paper, appendix F, table 7).

    Args:
        image_size: height and width in pixels.
        base_channels: channels at full resolution.
        max_channels: where the doubling of channels stops.
        num_domains: number of domains.
        style_dim: length of a style code.
        fused: compute the blocks in their fused forms: the same function, see `convolution.Conv2D`.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        base_channels: int,
        num_domains: int,
        max_channels: int = 512,
        style_dim: int = 64,
        fused: bool = False,
        **kwargs,
    ):
        kwargs.setdefault("name", "style_encoder")
        super().__init__(**kwargs)
        self.image_size = tuple(image_size)
        self.base_channels = base_channels
        self.max_channels = max_channels
        self.num_domains = num_domains
        self.style_dim = style_dim
        self.fused = fused
        self.trunk = Trunk(
            self.image_size, base_channels, max_channels, fused=fused, dtype=self.dtype_policy, name="trunk"
        )
        self.unshared = DomainDense(
            num_domains, self.trunk.out_channels, style_dim, dtype=self.dtype_policy, name="unshared"
        )
        self.built = True

    def call(self, images, domain):
        """Maps images [B, H, W, 3] in [-1, 1] and domains [B] to style codes [B, style_dim]."""
        return widen(select_domain(self.unshared(self.trunk(images)), domain))

    def get_config(self):
        return super().get_config() | {
            "image_size": self.image_size,
            "base_channels": self.base_channels,
            "max_channels": self.max_channels,
            "num_domains": self.num_domains,
            "style_dim": self.style_dim,
            "fused": self.fused,
        }
