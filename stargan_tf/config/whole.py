"""The configuration of a run as a whole, and its values by name."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stargan_tf.config.fields import MAY_CHANGE_IF_ASKED
from stargan_tf.config.images import ImageConfig
from stargan_tf.config.input import DataConfig
from stargan_tf.config.losses import LossConfig
from stargan_tf.config.model import ModelConfig
from stargan_tf.config.optimizers import OptimizerConfig
from stargan_tf.config.training import RunConfig


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes.

    Args:
        domains: names of the domains, in order; by default those of the data.
        images: how an image becomes the networks' input; by default as the data were prepared.
        model: the networks.
        losses: the objective.
        optimizers: Adam and the moving average.
        input: batches and augmentation.
        training: length, precision and records of the run.
    """

    domains: tuple[str, ...] | None = None
    images: ImageConfig = field(default_factory=ImageConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    losses: LossConfig = field(default_factory=LossConfig, metadata=MAY_CHANGE_IF_ASKED)
    optimizers: OptimizerConfig = field(default_factory=OptimizerConfig, metadata=MAY_CHANGE_IF_ASKED)
    input: DataConfig = field(default_factory=DataConfig, metadata=MAY_CHANGE_IF_ASKED)
    training: RunConfig = field(default_factory=RunConfig)


def flatten(config: Config) -> dict[str, Any]:
    """Returns the values of a configuration by dotted name (`model.style_dim`), as the command line spells them."""
    return dict(_flatten(dataclasses.asdict(config)))


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
