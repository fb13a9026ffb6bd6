"""The networks: their settings, and the sizes of images that they can be built for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stargan_tf.base.command_line import check_ranges
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeFloat, PositiveInt, TwoOrMore
from stargan_tf.config.fields import MAY_CHANGE

MIN_IMAGE_SIDE = 16
# The sides of feature maps, in pixels, that the high-pass skip carries over to the decoder.
HIGH_PASS_SIDES = (32, 64, 128)


@dataclass(frozen=True)
class ModelConfig:
    """The four networks.

    Args:
        image_size: side in pixels, or [height, width]; by default that of the data. Both sides must be at least 16 and
            multiples of 2^(floor(log2(shorter side)) - 2), for example of 8 from 32 px, of 16 from 64 px, of 64 from
            256 px.
        num_domains: number of domains, at least 2; by default that of the data.
        latent_dim: length of a latent code z.
        style_dim: length of a style code s.
        hidden_dim: width of the mapping network.
        base_channels: channels at full resolution, doubled at each down-sampling; by default the published
            2^14 / side (the side rounded down to a power of two).
        max_channels: largest number of channels, where the doubling stops.
        w_hpf: weight of the high-pass skip; 0 for none, 1 for the published faces. Needs square images whose side is a
            power of two.
        face_masks: with the high-pass skip, whether the face network decides where the source shows through; without
            it (false), nothing is carried over.
        spectral_norm: spectral normalization of every convolution of the discriminator (not in the paper).
        fused: compute halving, doubling and normalization in fused forms: the same function and weights, fewer
            operations. By default where it was measured to be faster, which is on CPUs.
    """

    image_size: int | tuple[int, int] | None = None
    num_domains: TwoOrMore | None = None
    latent_dim: PositiveInt = 16
    style_dim: PositiveInt = 64
    hidden_dim: PositiveInt = 512
    base_channels: PositiveInt | None = None
    max_channels: PositiveInt = 512
    w_hpf: NonNegativeFloat = 0.0
    face_masks: bool = True
    spectral_norm: bool = False
    fused: bool | None = field(default=None, metadata=MAY_CHANGE)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        assert self.image_size is not None, "the data decides the size, see `resolve`"
        height, width = (self.image_size, self.image_size) if isinstance(self.image_size, int) else self.image_size
        return height, width

    @property
    def full_resolution_channels(self) -> int:
        """Channels at full resolution."""
        return 2**14 // 2 ** log2_size(self.size) if self.base_channels is None else self.base_channels

    @property
    def needs_face_network(self) -> bool:
        """Whether a face network belongs to the model."""
        return self.w_hpf > 0 and self.face_masks


def check_model(model: ModelConfig) -> None:
    """Checks the part of a configuration that the networks are built from.

    Raises:
        UserError: the first mistake found, with what would be right.
    """
    check_ranges(model, "model.")
    check_image_size(model.size)
    if model.w_hpf > 0 and model.size not in [(2**n, 2**n) for n in range(5, 16)]:
        raise UserError(
            f"the high-pass skip (model.w_hpf {model.w_hpf}) needs square images whose side is a power of two, "
            f"at least 32, not {times(model.size)}"
        )


def check_image_size(size: tuple[int, int]) -> None:
    """Checks that the networks can be built for images of this size.

    Args:
        size: height and width in pixels.

    Raises:
        UserError: they cannot; the message says which sizes work.
    """
    shorter = min(size)
    if shorter < MIN_IMAGE_SIDE:
        raise UserError(f"image size {times(size)} is too small: both sides must be at least {MIN_IMAGE_SIDE}")
    stride = total_stride(size)
    if any(side % stride for side in size):
        below = shorter // stride * stride
        raise UserError(
            f"image size {times(size)} cannot work: at this size both sides must be multiples of {stride}, "
            f"for example {below} or {below + stride}"
        )


def total_stride(size: tuple[int, int]) -> int:
    """Returns what both sides must be multiples of: the stride of the style encoder and of the discriminator."""
    return 2 ** (log2_size(size) - 2)


def log2_size(size: tuple[int, int]) -> int:
    """Returns log2 of the shorter side, rounded down: it sets the depth of all networks."""
    return min(size).bit_length() - 1


def times(size: Sequence[int]) -> str:
    """Returns a size as errors show it, like 256x256."""
    return "x".join(str(side) for side in size)
