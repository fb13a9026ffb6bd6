"""The networks' weights under the names and in the layout of published PyTorch checkpoints.

Checkpoints of other programs, the face network's file and the reference files of the tests use these names. The order
in which a network's names are given is the order in which it uses them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.networks import Networks
from stargan_tf.networks.face_network import DEPTH, BatchNorm, FaceNetwork
from stargan_tf.networks.residual_blocks import AdainResidualBlock, ResidualBlock, Trunk

State = Mapping[str, Mapping[str, np.ndarray]]

# Convolutions are OIHW there and HWIO here, dense layers (out, in) there and (in, out) here.
_CONV_AXES = (2, 3, 1, 0)
_DENSE_AXES = (1, 0)


@dataclass(frozen=True)
class Parameter:
    """Where one published tensor lives.

    Args:
        variable: the variable that holds it.
        domain: which branch of the variable's first axis it is, or None if it is all of it.
        axes: the transposition from the published layout to ours, or None.
    """

    variable: keras.Variable
    domain: int | None = None
    axes: tuple[int, ...] | None = None

    def select(self, value: np.ndarray) -> np.ndarray:
        """Returns this parameter's part of an array shaped like the variable, in the published layout."""
        value = np.asarray(value if self.domain is None else value[self.domain])
        return value if self.axes is None else value.transpose(np.argsort(self.axes))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the published layout."""
        shape = tuple(self.variable.shape) if self.domain is None else tuple(self.variable.shape[1:])
        return shape if self.axes is None else tuple(shape[axis] for axis in np.argsort(self.axes))


def parameters(networks: Networks | Mapping[str, keras.Model]) -> dict[str, dict[str, Parameter]]:
    """Returns every parameter by network and published name; the face network's published name is `fan`."""
    find = {
        "generator": _generator,
        "mapping_network": _mapping_network,
        "style_encoder": _style_encoder,
        "discriminator": _discriminator,
        "fan": _face_network,
    }
    return {name: dict(find[name](network)) for name, network in networks.items()}


def assign(networks: Networks | Mapping[str, keras.Model], state: State) -> None:
    """Loads published weights into networks.

    Args:
        networks: built for the same configuration; or a mapping, such as `{"fan": face_network}`.
        state: `{"generator": {published name: array}, ...}`; a network that it leaves out keeps its weights.

    Raises:
        UserError: names that are unknown or missing, or shapes that differ; all of them are listed, and nothing has
            been loaded.
    """
    places = parameters(networks)
    unknown = [name for name in state if name not in places]
    missing, misshapen = [], []
    for network, tensors in state.items():
        known = places.get(network, {})
        unknown += [f"{network}/{name}" for name in tensors if network in places and name not in known]
        missing += [f"{network}/{name}" for name in known if name not in tensors]
        misshapen += [
            f"{network}/{name} is {np.shape(tensors[name])}, not {known[name].shape}"
            for name in tensors
            if name in known and np.shape(tensors[name]) != known[name].shape
        ]
    problems = [
        f"{what}: {', '.join(names)}"
        for what, names in (("unknown", unknown), ("missing", missing), ("of another shape", misshapen))
        if names
    ]
    if problems:
        raise UserError(f"the weights do not fit the networks; {'; '.join(problems)}")

    for network, tensors in state.items():
        values: dict[int, np.ndarray] = {}
        variables: dict[int, keras.Variable] = {}
        for name, tensor in tensors.items():
            place = places[network][name]
            key = id(place.variable)
            if key not in values:
                variables[key], values[key] = place.variable, np.zeros(place.variable.shape, place.variable.dtype)
            tensor = np.asarray(tensor)
            tensor = tensor if place.axes is None else tensor.transpose(place.axes)
            values[key][... if place.domain is None else place.domain] = tensor
        for key, variable in variables.items():
            variable.assign(values[key])


def extract(networks: Networks | Mapping[str, keras.Model]) -> dict[str, dict[str, np.ndarray]]:
    """Returns the weights of networks under their published names, in the published layout."""
    return {
        network: {name: place.select(place.variable.numpy()) for name, place in places.items()}
        for network, places in parameters(networks).items()
    }


_Named = Iterator[tuple[str, Parameter]]


def _generator(generator) -> _Named:
    yield from _conv("from_rgb", generator.from_rgb)
    for index, block in enumerate(generator.encoder):
        yield from _residual_block(f"encode.{index}", block)
    for index, block in enumerate(generator.decoder):
        yield from _adain_block(f"decode.{index}", block)
    yield from _norm("to_rgb.0", generator.to_rgb_norm)
    yield from _conv("to_rgb.2", generator.to_rgb)


def _mapping_network(mapping_network) -> _Named:
    # Every second entry of the published lists is an activation without parameters.
    for index, layer in enumerate(mapping_network.shared):
        yield from _dense(f"shared.{2 * index}", layer)
    for domain in range(mapping_network.num_domains):
        for index, layer in enumerate(mapping_network.unshared):
            yield from _branch(f"unshared.{domain}.{2 * index}", layer, domain)


def _style_encoder(style_encoder) -> _Named:
    yield from _trunk("shared", style_encoder.trunk)
    for domain in range(style_encoder.num_domains):
        yield from _branch(f"unshared.{domain}", style_encoder.unshared, domain)


def _discriminator(discriminator) -> _Named:
    yield from _trunk("main", discriminator.trunk)
    yield from _conv(f"main.{len(discriminator.trunk.blocks) + 4}", discriminator.logits)


def _trunk(name: str, trunk: Trunk) -> _Named:
    yield from _conv(f"{name}.0", trunk.from_rgb)
    for index, block in enumerate(trunk.blocks, 1):
        yield from _residual_block(f"{name}.{index}", block)
    yield from _conv(f"{name}.{len(trunk.blocks) + 2}", trunk.last)


def _residual_block(name: str, block: ResidualBlock) -> _Named:
    yield from _conv(f"{name}.conv1", block.conv1)
    yield from _conv(f"{name}.conv2", block.conv2)
    if block.norm1 is not None:
        yield from _norm(f"{name}.norm1", block.norm1)
        yield from _norm(f"{name}.norm2", block.norm2)
    if block.conv1x1 is not None:
        yield from _conv(f"{name}.conv1x1", block.conv1x1)


def _adain_block(name: str, block: AdainResidualBlock) -> _Named:
    yield from _conv(f"{name}.conv1", block.conv1)
    yield from _conv(f"{name}.conv2", block.conv2)
    yield from _dense(f"{name}.norm1.fc", block.norm1.fc)
    yield from _dense(f"{name}.norm2.fc", block.norm2.fc)
    if block.conv1x1 is not None:
        yield from _conv(f"{name}.conv1x1", block.conv1x1)


def _conv(name: str, layer: keras.layers.Conv2D) -> _Named:
    yield f"{name}.weight", Parameter(layer._kernel, axes=_CONV_AXES)
    if layer.bias is not None:
        yield f"{name}.bias", Parameter(layer.bias)


def _dense(name: str, layer: keras.layers.Dense) -> _Named:
    yield f"{name}.weight", Parameter(layer._kernel, axes=_DENSE_AXES)
    yield f"{name}.bias", Parameter(layer.bias)


def _branch(name: str, layer, domain: int) -> _Named:
    yield f"{name}.weight", Parameter(layer.kernel, domain, _DENSE_AXES)
    yield f"{name}.bias", Parameter(layer.bias, domain)


def _norm(name: str, layer) -> _Named:
    yield f"{name}.weight", Parameter(layer.scale)
    yield f"{name}.bias", Parameter(layer.offset)


def _face_network(network: FaceNetwork) -> _Named:
    yield from _conv("conv1.conv", network.conv1)
    yield from _batch_norm("bn1", network.norm1)
    yield from _hourglass_block("conv2", network.block2)
    yield from _hourglass_block("conv3", network.block3)
    yield from _hourglass_block("conv4", network.block4)
    yield from _conv("m0.coordconv.conv", network.hourglass.coordinates)
    for level in range(DEPTH):
        yield from _hourglass_block(f"m0.b1_{level + 1}", network.hourglass.beside[level])
        yield from _hourglass_block(f"m0.b2_{level + 1}", network.hourglass.before[level])
        yield from _hourglass_block(f"m0.b3_{level + 1}", network.hourglass.after[level])
    yield from _hourglass_block("m0.b2_plus_1", network.hourglass.lowest)
    yield from _hourglass_block("top_m_0", network.top)
    yield from _conv("conv_last0", network.last)
    yield from _batch_norm("bn_end0", network.last_norm)
    yield from _conv("l0", network.heatmaps)


def _hourglass_block(name: str, block) -> _Named:
    for number in (1, 2, 3):
        yield from _batch_norm(f"{name}.bn{number}", getattr(block, f"norm{number}"))
        yield from _conv(f"{name}.conv{number}", getattr(block, f"conv{number}"))
    if block.shortcut is not None:
        yield from _batch_norm(f"{name}.downsample.0", block.shortcut_norm)
        yield from _conv(f"{name}.downsample.2", block.shortcut)


def _batch_norm(name: str, layer: BatchNorm) -> _Named:
    yield f"{name}.weight", Parameter(layer.scale)
    yield f"{name}.bias", Parameter(layer.offset)
    yield f"{name}.running_mean", Parameter(layer.mean)
    yield f"{name}.running_var", Parameter(layer.variance)
