"""The generator G: a source image and a style become the translated image."""

import itertools

import keras
import tensorflow as tf

from stargan_tf.config import HIGH_PASS_SIDES, log2_size
from stargan_tf.networks.convolution import conv
from stargan_tf.networks.layers import high_pass, leaky_relu, shrink, track, widen
from stargan_tf.networks.normalization import InstanceNorm
from stargan_tf.networks.residual_blocks import AdainResidualBlock, ResidualBlock

Masks = tuple[tf.Tensor, tf.Tensor]
Features = dict[str, tf.Tensor]


@keras.saving.register_keras_serializable(package="stargan_tf")
class Generator(keras.Model):
    """Generator of StarGAN v2 (paper, appendix F, table 5).

    Args:
        image_size: height and width in pixels.
        base_channels: channels at full resolution.
        max_channels: where the doubling of channels stops.
        style_dim: length of a style code.
        w_hpf: weight of the high-pass skip; 0 for none.
        fused: compute the blocks in their fused forms: the same function, see `convolution.Conv2D` and
            `normalization.normalize`.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        base_channels: int,
        max_channels: int = 512,
        style_dim: int = 64,
        w_hpf: float = 0.0,
        fused: bool = False,
        **kwargs,
    ):
        kwargs.setdefault("name", "generator")
        super().__init__(**kwargs)
        self.image_size = tuple(image_size)
        self.base_channels = base_channels
        self.max_channels = max_channels
        self.style_dim = style_dim
        self.w_hpf = w_hpf
        self.fused = fused

        common = {"fused": fused, "dtype": self.dtype_policy}
        num_halvings = log2_size(image_size) - 4 + (w_hpf > 0)
        widths = [min(base_channels * 2**n, max_channels) if n else base_channels for n in range(num_halvings + 1)]
        downs = list(itertools.pairwise(widths))
        bottleneck = [(widths[-1], widths[-1])] * 2

        self.from_rgb = conv(3, base_channels, 3, self.dtype_policy, name="from_rgb")
        encoder = [
            ResidualBlock(a, b, normalize=True, halve=index < num_halvings, name=f"encode_{index}", **common)
            for index, (a, b) in enumerate(downs + bottleneck)
        ]
        decoder = [
            AdainResidualBlock(
                b, a, style_dim, double=index >= 2, shortcut=w_hpf == 0, name=f"decode_{index}", **common
            )
            for index, (a, b) in enumerate(bottleneck + downs[::-1])
        ]
        self.encoder = track(self, encoder)
        self.decoder = track(self, decoder)
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
        x = self.from_rgb(images)
        for block in self.encoder:
            if self.w_hpf > 0 and x.shape[1] in HIGH_PASS_SIDES:
                features[f"side_{x.shape[1]}"] = x
            x = block(x)
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
        x = features["bottleneck"]
        for block in self.decoder:
            x = block(x, style)
            side = x.shape[1]
            if masks is not None and f"side_{side}" in features:
                mask = masks[0] if side == HIGH_PASS_SIDES[0] else masks[1]
                mask = tf.cast(shrink(mask, side), x.dtype)
                x += high_pass(mask * features[f"side_{side}"], self.w_hpf)
        x = self.to_rgb(leaky_relu(self.to_rgb_norm(x)))
        return widen(x)

    def call(self, images, style, masks=None):
        """Translates images [B, H, W, 3] with style codes [B, style_dim]; `masks` as in `decode`."""
        return self.decode(self.encode(images), style, masks)

    def get_config(self):
        return super().get_config() | {
            "image_size": self.image_size,
            "base_channels": self.base_channels,
            "max_channels": self.max_channels,
            "style_dim": self.style_dim,
            "w_hpf": self.w_hpf,
            "fused": self.fused,
        }
