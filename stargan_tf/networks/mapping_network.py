"""The mapping network F: a latent code becomes a style of the given domain (paper, appendix F, table 6)."""

import keras
import tensorflow as tf

from stargan_tf.networks.layers import DomainDense, Network, he_normal, select_domain, track, widen

_SHARED_LAYERS = 4
_DOMAIN_LAYERS = 4


@keras.saving.register_keras_serializable(package="stargan_tf")
class MappingNetwork(Network):
    """Four layers for all domains, then four for each domain.

    Args:
        num_domains: number of domains.
        latent_dim: length of a latent code.
        style_dim: length of a style code.
        hidden_dim: width of all layers but the last.
        dtype: Keras dtype policy.
        name: of the network.
    """

    def __init__(
        self, num_domains: int, latent_dim: int, style_dim: int, hidden_dim: int, dtype=None, name="mapping_network"
    ):
        arguments = {"num_domains": num_domains, "latent_dim": latent_dim, "style_dim": style_dim}
        super().__init__(arguments | {"hidden_dim": hidden_dim}, name, dtype)
        self.num_domains = num_domains
        dtype, shared = self.dtype_policy, []
        for n in range(_SHARED_LAYERS):
            layer = keras.layers.Dense(
                hidden_dim, "relu", kernel_initializer=he_normal(), dtype=dtype, name=f"shared_{n}"
            )
            layer.build((None, hidden_dim if n else latent_dim))
            shared.append(layer)
        self.shared = track(self, shared)
        widths = [hidden_dim] * (_DOMAIN_LAYERS - 1) + [style_dim]
        unshared = [
            DomainDense(num_domains, hidden_dim, width, dtype=dtype, name=f"unshared_{n}")
            for n, width in enumerate(widths)
        ]
        self.unshared = track(self, unshared)
        self.built = True

    def call(self, latent, domain):
        """Maps latent codes [B, latent_dim] and domains [B] to style codes [B, style_dim]."""
        x = latent
        for layer in self.shared:
            x = layer(x)  # [B, hidden_dim]
        *hidden, last = self.unshared
        for layer in hidden:
            x = tf.nn.relu(layer(x))  # [K, B, hidden_dim]: the branches of all K domains
        return widen(select_domain(last(x), domain))  # [B, style_dim]
