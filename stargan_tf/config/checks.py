"""Checks of a configuration: against the data, value against value, and against the devices."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stargan_tf.base.command_line import check_ranges
from stargan_tf.base.errors import UserError
from stargan_tf.config.images import UNRECORDED, ImageConfig, resolve_images
from stargan_tf.config.model import check_model, times
from stargan_tf.config.training import check_precision
from stargan_tf.config.whole import Config


def resolve(
    config: Config, domains: Sequence[str], image_size: tuple[int, int], images: ImageConfig = UNRECORDED
) -> Config:
    """Fills in what the data decides, and checks that configuration and data agree.

    Args:
        config: as the user gave it.
        domains: names of the data's domains, in order.
        image_size: height and width of the data's images in pixels.
        images: how the data were prepared, as far as it is recorded.

    Returns:
        The configuration with `domains`, `images`, `model.num_domains` and `model.image_size` set, checked.

    Raises:
        UserError: the data has other domains or another size, or was prepared otherwise, or `check` finds a mistake.
    """
    model = config.model
    domains = tuple(domains)
    named = ", ".join(domains)
    if config.domains is not None and tuple(config.domains) != domains:
        raise UserError(
            f"the configuration's domains are {', '.join(config.domains)} but the data's are {named}; "
            "names and order must be the same"
        )
    if model.num_domains is not None and model.num_domains != len(domains):
        raise UserError(
            f"the configuration has {model.num_domains} domains but the data has {len(domains)} ({named}); "
            f"set --model.num_domains {len(domains)} or use other data"
        )
    if model.image_size is not None and model.size != tuple(image_size):
        raise UserError(
            f"the configuration's image size is {times(model.size)} but the data's is {times(image_size)}; "
            "prepare the data at that size, or set --model.image_size to the data's"
        )
    height, width = image_size
    config = replace(
        config,
        domains=domains,
        images=resolve_images(config.images, images),
        model=replace(model, num_domains=len(domains), image_size=height if height == width else (height, width)),
    )
    check(config)
    return config


def check(config: Config) -> None:
    """Checks every value by the range of its field, and values against each other.

    Args:
        config: with `model.image_size` and `model.num_domains` set.

    Raises:
        UserError: the first mistake found, with what would be right.
    """
    check_ranges(config)
    check_model(config.model)
    losses, data, run = config.losses, config.input, config.training
    check_precision(run.precision)
    if run.jit_compile and run.rematerialize:
        raise UserError(
            "--training.rematerialize has no effect with --training.jit_compile, since XLA merges what is computed "
            "twice; choose one of them"
        )
    first, last = run.profile_steps or (1, 1)
    _require(
        1 <= first <= last, "training.profile_steps", run.profile_steps, "two rising steps from 1 on, like [10, 15]"
    )
    kinds = losses.differentiable_augmentation
    _require(
        len(set(kinds)) == len(kinds),
        "losses.differentiable_augmentation",
        kinds,
        "different ones of color, translation and cutout",
    )
    low, high = data.crop_area
    _require(0 < low <= high <= 1, "input.crop_area", data.crop_area, "two rising shares above 0 and at most 1")
    low, high = data.crop_ratio
    _require(0 < low <= high, "input.crop_ratio", data.crop_ratio, "two rising numbers above 0")


def check_replicas(config: Config, num_replicas: int) -> None:
    """Checks that a batch can be split evenly over the devices, and the part of one device into microbatches.

    Raises:
        UserError: it cannot.
    """
    if config.input.batch_size % num_replicas:
        raise UserError(
            f"a batch of {config.input.batch_size} cannot be split evenly over {num_replicas} devices; "
            f"set --input.batch_size to a multiple of {num_replicas}"
        )
    share, parts = config.input.batch_size // num_replicas, config.training.microbatches
    if share % parts:
        raise UserError(
            f"the {share} images that one device has of a batch cannot be computed in {parts} equal parts; "
            f"set --training.microbatches to a divisor of {share}"
        )


def _require(condition: bool, name: str, value: Any, right: str) -> None:
    if not condition:
        raise UserError(f"--{name} is {value}; it must be {right}")
