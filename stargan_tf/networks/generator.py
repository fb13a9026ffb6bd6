"""The generator G: a source image and a style become the translated image (paper, appendix F, table 5)."""

import itertools
from typing import Any

import keras
import tensorflow as tf

from stargan_tf.config import HIGH_PASS_SIDES, log2_size
from stargan_tf.networks.convolution import conv
from stargan_tf.networks.high_pass import high_pass, shrink
from stargan_tf.networks.layers import Network, leaky_relu, track, widen
from stargan_tf.networks.normalization import InstanceNorm
from stargan_tf.networks.residual_blocks import AdainResidualBlock, ResidualBlock

Masks = tuple[tf.Tensor, tf.Tensor]
Features = dict[str, tf.Tensor]


@keras.saving.register_keras_serializable(package="stargan_tf")
class Generator(Network):
    """An encoder that normalizes style away, and a decoder that puts the given style in.

    Args:
        image_size: height and width in pixels.
        base_channels: channels at full resolution; each halving of the sides doubles them.
        max_channels: where the doubling of channels stops.
        style_dim: length of a style code.
        w_hpf: weight of the high-pass skip; 0 for none.
        fused: compute the blocks in their fused forms: the same function, see `convolution.Conv2D` and
            `normalization.normalize`.
        dtype: Keras dtype policy.
        name: of the network.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        base_channels: int,
        max_channels: int,
        style_dim: int,
        w_hpf: float = 0.0,
        fused: bool = False,
        dtype=None,
        name: str = "generator",
    ):
        arguments = {"image_size": image_size, "base_channels": base_channels, "max_channels": max_channels}
        super().__init__(arguments | {"style_dim": style_dim, "w_hpf": w_hpf, "fused": fused}, name, dtype)
        self.w_hpf = w_hpf
        common: dict[str, Any] = {"fused": fused, "dtype": self.dtype_policy}
        halvings = log2_size(image_size) - 4 + (w_hpf > 0)  # to 16 px, or to 8 px with the high-pass skip
        widths = [min(base_channels * 2**n, max_channels) if n else base_channels for n in range(halvings + 1)]
        halving, bottleneck = list(itertools.pairwise(widths)), [(widths[-1], widths[-1])] * 2

        self.from_rgb = conv(3, base_channels, 3, self.dtype_policy, name="from_rgb")
        encoder = [
            ResidualBlock(a, b, normalize=True, halve=n < halvings, name=f"encode_{n}", **common)
            for n, (a, b) in enumerate(halving + bottleneck)
        ]
        decoder = [
            AdainResidualBlock(b, a, style_dim, double=n >= 2, shortcut=w_hpf == 0, name=f"decode_{n}", **common)
            for n, (a, b) in enumerate(bottleneck + halving[::-1])
        ]
        self.encoder, self.decoder = track(self, encoder), track(self, decoder)
        self.to_rgb_norm = InstanceNorm(base_channels, name="to_rgb_norm", **common)
        self.to_rgb = conv(base_channels, 3, 1, self.dtype_policy, name="to_rgb")
        self.built = True

    def encode(self, images: tf.Tensor) -> Features:
        """Computes what does not depend on the style, so that one encoding serves many styles.

        Args:
            images: [B, H, W, 3] in [-1, 1].

        Returns:
            `bottleneck`, and with the high-pass skip `side_32`, `side_64` and `side_128`: features [B, h, w, C].
        """
        features = {}
        x = self.from_rgb(images)  # [B, H, W, base_channels]
        for block in self.encoder:
            if self.w_hpf > 0 and x.shape[1] in HIGH_PASS_SIDES:
                features[f"side_{x.shape[1]}"] = x
            x = block(x)  # [B, h / 2, w / 2, 2 C] down to the bottleneck
        return {"bottleneck": x, **features}

    def decode(self, features: Features, style: tf.Tensor, masks: Masks | None = None) -> tf.Tensor:
        """Draws the encoded images in a style.

        Args:
            features: what `encode` returned for B images.
            style: style codes, [B, style_dim].
            masks: for the high-pass skip, two float arrays [B, H, W, 1] in [0, 1]: where the source shows through
                at 32 px, and at 64 and 128 px. Without them nothing is carried over.

        Returns:
            Images, [B, H, W, 3], float32 in mixed precision too. The published network has no final tanh, so values
            may leave [-1, 1].
        """
        x = features["bottleneck"]  # [B, 16, 16, C], or 8 x 8 with the high-pass skip
        for block in self.decoder:
            x = block(x, style)  # [B, 2 h, 2 w, C / 2] after the bottleneck
            side = x.shape[1]
            if masks is not None and f"side_{side}" in features:
                mask = masks[0] if side == HIGH_PASS_SIDES[0] else masks[1]
                mask = tf.cast(shrink(mask, side), x.dtype)  # [B, h, w, 1]
                x += high_pass(mask * features[f"side_{side}"], self.w_hpf)
        return widen(self.to_rgb(leaky_relu(self.to_rgb_norm(x))))  # [B, H, W, 3]

    def call(self, images, style, masks=None):
        """Translates images [B, H, W, 3] with style codes [B, style_dim]; `masks` as in `decode`."""
        return self.decode(self.encode(images), style, masks)
