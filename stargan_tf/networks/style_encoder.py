"""The style encoder E: the style of a reference image, seen as one of the given domain (appendix F, table 7)."""

import keras

from stargan_tf.networks.layers import DomainDense, Network, select_domain, widen
from stargan_tf.networks.residual_blocks import Trunk


@keras.saving.register_keras_serializable(package="stargan_tf")
class StyleEncoder(Network):
    """A trunk for all domains, then one dense layer for each domain.

    Args:
        num_domains: number of domains.
        style_dim: length of a style code.
        dtype: Keras dtype policy.
        name: of the network.
        **trunk: what `Trunk` takes.
    """

    def __init__(self, num_domains: int, style_dim: int, dtype=None, name: str = "style_encoder", **trunk):
        super().__init__({"num_domains": num_domains, "style_dim": style_dim} | trunk, name, dtype)
        self.num_domains, dtype = num_domains, self.dtype_policy
        self.trunk = Trunk(dtype=dtype, name="trunk", **trunk)
        self.unshared = DomainDense(num_domains, self.trunk.out_channels, style_dim, dtype=dtype, name="unshared")
        self.built = True

    def call(self, images, domain):
        """Maps images [B, H, W, 3] in [-1, 1] and domains [B] to style codes [B, style_dim]."""
        styles = self.unshared(self.trunk(images))  # [K, B, style_dim]: the branches of all K domains
        return widen(select_domain(styles, domain))  # [B, style_dim]
