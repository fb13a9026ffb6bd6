"""Finds the model that published weights belong to by the names and shapes of their tensors."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.config import ModelConfig, check_model, log2_size

State = Mapping[str, Mapping[str, np.ndarray]]

PUBLISHED_W_HPF = 1.0

_PUBLISHED = ModelConfig()
_MAX_HALVINGS = 13  # 32,768 px; files with more are not genuine

# Each number is read from several places, so that one tensor may be missing and is listed with all other mistakes by
# `pytorch.assign`. Biases are used because they cannot be transposed.
_CHANNELS = {
    "generator": r"from_rgb\.bias|encode\.0\.(conv1|norm1|norm2)\.bias|to_rgb\.0\.bias",
    "style_encoder": r"shared\.(0|1\.conv1)\.bias",
    "discriminator": r"main\.(0|1\.conv1)\.bias",
}
_STYLE = {"mapping_network": r"unshared\.\d+\.6\.bias", "style_encoder": r"unshared\.\d+\.bias"}
_HIDDEN = {"mapping_network": r"shared\.[0246]\.bias|unshared\.\d+\.[024]\.bias"}
# The group is a number; longer ones are not genuine.
_DOMAINS = {"mapping_network": r"unshared\.(\d{1,6})\.", "style_encoder": r"unshared\.(\d{1,6})\."}
_HALVINGS = {"style_encoder": r"shared\.(\d{1,6})\.conv", "discriminator": r"main\.(\d{1,6})\.conv"}
_ENCODER_BLOCKS = {"generator": r"encode\.(\d{1,6})\."}


def infer(state: State, w_hpf: float | None = None, image_size: int | tuple[int, int] | None = None) -> ModelConfig:
    """Finds the model that weights belong to.

    Args:
        state: `{"generator": {published name: array}, ...}`; the discriminator may be left out.
        w_hpf: weight of the high-pass skip, which no tensor holds; by default the published one if there is a skip.
        image_size: side in pixels, or height and width, of networks that were not made for squares whose side is a
            power of two; no tensor holds that either.

    Returns:
        The model. Weights may be missing or of a wrong shape as long as it can be determined.

    Raises:
        UserError: these are weights of other networks, the networks do not belong together, or `w_hpf` or `image_size`
            contradicts them.
    """
    halvings = _agreed("the number of blocks that halve the image", _counts(state, _HALVINGS, first=1))
    if not 2 <= halvings <= _MAX_HALVINGS:
        raise _not_stargan(f"{halvings} blocks of style_encoder halve the image")
    encoder_blocks = _agreed("the number of encoder blocks", _counts(state, _ENCODER_BLOCKS))
    _check_image_size(image_size, halvings)
    channels = _agreed("the number of channels at full resolution", _lengths(state, _CHANNELS))
    hidden_dim = _agreed("the width of mapping_network", _lengths(state, _HIDDEN))
    model = ModelConfig(
        image_size=2 ** (halvings + 2) if image_size is None else image_size,
        num_domains=_agreed("the number of domains", _counts(state, _DOMAINS)),
        latent_dim=_latent_dim(state, hidden_dim),
        style_dim=_agreed("the length of a style code", _lengths(state, _STYLE)),
        hidden_dim=hidden_dim,
        base_channels=None if channels == 2**14 // 2 ** (halvings + 2) else channels,
        max_channels=_max_channels(state, channels, halvings),
        w_hpf=_high_pass(w_hpf, halvings, encoder_blocks),
    )
    check_model(model)
    return model


def _high_pass(w_hpf: float | None, halvings: int, encoder_blocks: int) -> float:
    """Returns the weight of the high-pass skip, with which the generator has one block more than without."""
    skip = encoder_blocks - halvings
    if skip not in (0, 1):
        raise UserError(
            f"the networks do not belong together: style_encoder halves the image {halvings} times, with which "
            f"generator has {halvings} encoder blocks, or {halvings + 1} with the high-pass skip, but it has "
            f"{encoder_blocks}"
        )
    if w_hpf is None:
        return PUBLISHED_W_HPF * skip
    if skip and w_hpf <= 0:
        raise UserError(f"--w_hpf is {w_hpf}, but the generator is one with the high-pass skip; it must be above 0")
    if not skip and w_hpf:
        raise UserError(f"--w_hpf is {w_hpf}, but the generator is one without the high-pass skip; leave it out")
    return w_hpf


def _check_image_size(image_size: int | tuple[int, int] | None, halvings: int) -> None:
    if image_size is None:
        return
    sides = (image_size, image_size) if isinstance(image_size, int) else image_size
    if min(sides) < 1 or log2_size(sides) != halvings + 2:
        least = 2 ** (halvings + 2)
        raise UserError(
            f"--image_size is {image_size}, but these networks are for images whose shorter side is at least {least} "
            f"and below {2 * least}"
        )


def _latent_dim(state: State, hidden_dim: int) -> int:
    first = state.get("mapping_network", {}).get("shared.0.weight")
    return _PUBLISHED.latent_dim if first is None else max(1, np.size(first) // hidden_dim)


def _max_channels(state: State, channels: int, halvings: int) -> int:
    """Returns the width at which doubling stops, or the published one if it does not stop within these networks."""
    encoder = state.get("style_encoder", {})
    for index in range(1, halvings + 1):
        # A block has as many outputs as the next layer has inputs.
        after = f"shared.{index + 1}.conv1.bias" if index < halvings else f"shared.{halvings + 2}.bias"
        widths = [np.size(encoder[name]) for name in (f"shared.{index}.conv2.bias", after) if name in encoder]
        if widths and widths[0] != 2 * channels:
            return widths[0]
        channels *= 2
    return max(channels, _PUBLISHED.max_channels)


def _counts(state: State, patterns: Mapping[str, str], first: int = 0) -> dict[str, list[int]]:
    """Counts, for each network, the entries numbered from `first` in its tensors' names."""
    return {
        network: [max(numbers) - first + 1]
        for network, pattern in patterns.items()
        if (numbers := [int(match[1]) for name in state.get(network, {}) if (match := re.match(pattern, name))])
    }


def _lengths(state: State, patterns: Mapping[str, str]) -> dict[str, set[int]]:
    return {
        network: {np.size(tensor) for name, tensor in state.get(network, {}).items() if re.fullmatch(pattern, name)}
        for network, pattern in patterns.items()
    }


def _agreed(what: str, values: Mapping[str, Iterable[int]]) -> int:
    """Returns the number that all networks agree on."""
    found = [(value, network) for network, several in values.items() for value in sorted(several)]
    if not found or found[0][0] < 1:
        raise _not_stargan(f"{what} cannot be found")
    if any(value != found[0][0] for value, _ in found):
        listed = ", ".join(f"{value} in {network}" for value, network in found)
        raise UserError(f"the networks do not belong together: {what} is {listed}")
    return found[0][0]


def _not_stargan(why: str) -> UserError:
    return UserError(
        f"these are not the weights of a StarGAN v2: {why} (looked for tensors named from_rgb, encode.N and decode.N "
        "in generator, shared.N and unshared.N in mapping_network and style_encoder)"
    )
