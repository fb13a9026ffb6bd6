"""The four networks of StarGAN v2 (paper, section 2.1 and appendix F)."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from stargan_tf.config import ModelConfig, check_model
from stargan_tf.networks.discriminator import Discriminator
from stargan_tf.networks.fused_forms import fused_on
from stargan_tf.networks.generator import Generator
from stargan_tf.networks.mapping_network import MappingNetwork
from stargan_tf.networks.style_encoder import StyleEncoder

# In the order of the paper: G, F, E, D.
NAMES = ("generator", "mapping_network", "style_encoder", "discriminator")


@dataclass(frozen=True)
class Networks:
    """Generator G, mapping network F, style encoder E and, unless left out, discriminator D; all built."""

    generator: Generator
    mapping_network: MappingNetwork
    style_encoder: StyleEncoder
    discriminator: Discriminator | None

    def items(self) -> list[tuple[str, keras.Model]]:
        """Returns the networks that are there, by name, in the order of `NAMES`."""
        return [(name, getattr(self, name)) for name in NAMES if getattr(self, name) is not None]

    def variables_of(self, *names: str) -> list[keras.Variable]:
        """Returns the trainable variables of the networks with these names, one network after the other."""
        return [variable for name in names for variable in getattr(self, name).trainable_variables]


def build(model: ModelConfig, precision: str = "float32", with_discriminator: bool = True) -> Networks:
    """Builds the networks: their variables exist on return.

    For reproducible initial weights call `keras.utils.set_random_seed` before.

    Args:
        model: with `image_size` and `num_domains` set.
        precision: Keras dtype policy, `float32` or `mixed_bfloat16`; variables are float32 in both. For inference also
            `bfloat16`: the same arithmetic as `mixed_bfloat16`, with variables rounded once instead of at every call.
        with_discriminator: False for inference and for the moving average, which have no use for D.

    Returns:
        The networks.

    Raises:
        UserError: the configuration cannot work.
    """
    check_model(model)
    fused = fused_on("gpu" if tf.config.list_physical_devices("GPU") else "cpu") if model.fused is None else model.fused
    style: dict[str, Any] = {"style_dim": model.style_dim, "dtype": precision}
    domains: dict[str, Any] = {"num_domains": model.num_domains, "dtype": precision}
    images: dict[str, Any] = {
        "image_size": model.size,
        "base_channels": model.full_resolution_channels,
        "max_channels": model.max_channels,
        "fused": fused,
    }
    return Networks(
        Generator(**images, **style, w_hpf=model.w_hpf),
        MappingNetwork(**domains, latent_dim=model.latent_dim, style_dim=model.style_dim, hidden_dim=model.hidden_dim),
        StyleEncoder(**images, **domains, style_dim=model.style_dim),
        Discriminator(**images, **domains, spectral_norm=model.spectral_norm) if with_discriminator else None,
    )
