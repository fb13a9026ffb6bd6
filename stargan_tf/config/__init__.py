"""The settings of a run: frozen dataclasses in which each is told once, presets, checks, YAML in and out.

A field has its type, with the range of a number (`base.ranges`), its default, and its help in the docstring;
`fields` has the marks of those that may differ when a run is resumed, and of those that may if asked for.
"""

from stargan_tf.config.checks import check, check_replicas, resolve
from stargan_tf.config.images import Fit, ImageConfig, ValueRange, check_same_images
from stargan_tf.config.input import DataConfig
from stargan_tf.config.losses import LossConfig
from stargan_tf.config.model import (
    HIGH_PASS_SIDES,
    MIN_IMAGE_SIDE,
    ModelConfig,
    check_image_size,
    check_model,
    log2_size,
    total_stride,
)
from stargan_tf.config.optimizers import OptimizerConfig
from stargan_tf.config.presets import PRESETS, preset
from stargan_tf.config.resume import Changes, changeable_fields, check_same_run, described, differences
from stargan_tf.config.training import RunConfig, check_precision
from stargan_tf.config.whole import Config, flatten
from stargan_tf.config.yaml_files import load, save

__all__ = [
    "HIGH_PASS_SIDES",
    "MIN_IMAGE_SIDE",
    "PRESETS",
    "Changes",
    "Config",
    "DataConfig",
    "Fit",
    "ImageConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "RunConfig",
    "ValueRange",
    "changeable_fields",
    "check",
    "check_image_size",
    "check_model",
    "check_precision",
    "check_replicas",
    "check_same_images",
    "check_same_run",
    "described",
    "differences",
    "flatten",
    "load",
    "log2_size",
    "preset",
    "resolve",
    "save",
    "total_stride",
]
