"""The mapping network F: a latent code becomes a style of the given domain."""

import keras
import tensorflow as tf

from stargan_tf.networks.layers import DomainDense, he_normal, select_domain, track, widen

_SHARED_LAYERS = 4
_DOMAIN_LAYERS = 4


@keras.saving.register_keras_serializable(package="stargan_tf")
class MappingNetwork(keras.Model):
    """Mapping network of StarGAN v2 (paper, appendix F, table 6).

    Args:
        num_domains: number of domains.
        latent_dim: length of a latent code.
        style_dim: length of a style code.
        hidden_dim: width of all layers but the last.
    """

    def __init__(self, num_domains: int, latent_dim: int = 16, style_dim: int = 64, hidden_dim: int = 512, **kwargs):
        kwargs.setdefault("name", "mapping_network")
        super().__init__(**kwargs)
        self.num_domains = num_domains
        self.latent_dim = latent_dim
        self.style_dim = style_dim
        self.hidden_dim = hidden_dim
        dtype = self.dtype_policy

        shared = []
        for index in range(_SHARED_LAYERS):
            layer = keras.layers.Dense(
                hidden_dim, "relu", kernel_initializer=he_normal(), dtype=dtype, name=f"shared_{index}"
            )
            layer.build((None, latent_dim if index == 0 else hidden_dim))
            shared.append(layer)
        self.shared = track(self, shared)
        unshared = [
            DomainDense(
                num_domains,
                hidden_dim,
                style_dim if index == _DOMAIN_LAYERS - 1 else hidden_dim,
                dtype=dtype,
                name=f"unshared_{index}",
            )
            for index in range(_DOMAIN_LAYERS)
        ]
        self.unshared = track(self, unshared)
        self.built = True

    def call(self, latent, domain):
        """Maps latent codes [B, latent_dim] and domains [B] to style codes [B, style_dim]."""
        x = latent
        for layer in self.shared:
            x = layer(x)
        *hidden, last = self.unshared
        for layer in hidden:
            x = tf.nn.relu(layer(x))  # [K, B, hidden_dim]
        return widen(select_domain(last(x), domain))

    def get_config(self):
        return super().get_config() | {
            "num_domains": self.num_domains,
            "latent_dim": self.latent_dim,
            "style_dim": self.style_dim,
            "hidden_dim": self.hidden_dim,
        }
