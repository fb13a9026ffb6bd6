"""Compares our networks, losses, gradients and training with reference numbers of the published ones.

    python -m tests.parity FILE.npz ...

prints a row per quantity (name, relative error, limit, ok) and exits 1 if any is over its limit. The weights come from
a recipe instead of a file and go through `stargan_tf.interop.pytorch.assign`, so the names of published checkpoints are
proven too. `tests/reference/README.md` has the recipe and the meaning of every quantity.

Everything is compared in float64, because only there is the question "the same function?" separate from rounding:
the gradient of a LeakyReLU jumps where its input crosses zero, so rounding of relative size e changes gradients by
about sqrt(e), and Adam without momentum divides by that gradient's size. Outputs and losses, which do not suffer from
this, are compared in float32 as well (`float32/...`). `--float32` shows all rows in float32.
"""

import argparse
import json
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from stargan_tf import networks
from stargan_tf.config import Config, LossConfig, ModelConfig, OptimizerConfig, RunConfig
from stargan_tf.interop import pytorch
from stargan_tf.losses import objectives
from stargan_tf.losses import terms as losses
from stargan_tf.networks import Networks, face_masks, published_names
from stargan_tf.networks.face_network import IMAGE_SIDE, FaceNetwork, landmarks
from stargan_tf.runs.state import TrainingState, create_state, update_ema
from stargan_tf.training import updates

OUTPUT_LIMIT = 1e-4
GRADIENT_LIMIT = 1e-3
TRAINED_LIMIT = 5e-3

# A norm this much below the largest one of its network is the rounding error of a gradient that is exactly zero, such
# as that of a bias before an instance norm: the reference, in double precision, has 1e-15 there. Float32 cannot
# reproduce rounding errors, only show that they are small, so there the error is relative to the largest norm.
ZERO_GRADIENT = 1e-9


@dataclass(frozen=True)
class Row:
    """One quantity: how far ours is from the reference, and how far it may be."""

    name: str
    error: float
    limit: float

    @property
    def ok(self) -> bool:
        return bool(self.error <= self.limit)  # false for NaN


def draw(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draws standard normal float32 numbers that depend on nothing but the key and the shape."""
    return np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape, dtype=np.float32)


def draw_parameter(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draws a parameter by its published name and shape."""
    noise = draw(key, shape)
    if len(shape) >= 2:
        return noise * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    if key.endswith("weight"):
        return 1 + np.float32(0.1) * noise
    if key.endswith("running_var"):
        return 1 + np.float32(0.1) * np.abs(noise)
    return np.float32(0.1) * noise


class Reference:
    """One reference file: its numbers, and our networks and inputs made by the same recipe.

    Args:
        path: an .npz file of the format that `tests/reference/README.md` describes.
        precision: Keras dtype policy to compute in.
        fused: whether the networks compute in their fused forms, see `config.ModelConfig`.
    """

    def __init__(self, path: Path, precision: str, fused: bool | None = None):
        self.fused = fused
        self.dtype = "float64" if precision == "float64" else "float32"
        keras.config.set_floatx(self.dtype)  # for the rates of optimizers
        with np.load(path) as file:
            self.arrays = {name: file[name] for name in file.files if name != "meta"}
            # face_masks.npz has inputs of its own, and no recipe.
            self.meta = json.loads(bytes(file["meta"])) if "meta" in file else {}
        self.parameters = self.meta.get("parameters", {})
        if "heatmap" in self.arrays:
            self.parameters = {"fan": self.parameters}  # the only network of its file is not named there
        elif self.parameters:
            self.config = self._config(precision)

    def _config(self, precision: str) -> Config:
        meta, parameters = self.meta, self.parameters
        # What a file leaves out (r1.npz has only D) does not matter for what it holds.
        mapping = parameters.get("mapping_network", {})
        return Config(
            model=ModelConfig(
                image_size=meta["image_size"],
                num_domains=meta["num_domains"],
                latent_dim=meta.get("latent_dim", 16),
                style_dim=meta.get("style_dim", 64),
                hidden_dim=mapping.get("shared.0.weight", [512])[0],
                base_channels=next(
                    parameters[network][name][0]
                    for network, name in (("generator", "from_rgb.weight"), ("discriminator", "main.0.weight"))
                    if network in parameters
                ),
                max_channels=meta["max_channels"],
                w_hpf=meta.get("w_hpf", 0),
                fused=self.fused,
            ),
            losses=LossConfig(lambda_ds=meta.get("lambda_ds", 1.0), ds_iter=meta.get("ds_iter", 100_000)),
            optimizers=OptimizerConfig(
                learning_rate=meta["adam"]["lr"],
                mapping_learning_rate=meta["adam"]["f_lr"],
                beta_1=meta["adam"]["beta_1"],
                beta_2=meta["adam"]["beta_2"],
                epsilon=meta["adam"]["epsilon"],
                l2=meta["adam"]["l2"],
                ema_decay=meta["ema_beta"],
            )
            if "adam" in meta
            else OptimizerConfig(),
            training=RunConfig(precision=precision),
        )

    def load_weights(self, target: Networks | dict[str, keras.Model]) -> None:
        """Loads the recipe's weights under their published names."""
        held = dict(target.items())
        state = {
            network: {
                name: draw_parameter(f"{self.meta['seed']}/{network}/{name}", tuple(shape))
                for name, shape in shapes.items()
            }
            for network, shapes in self.parameters.items()
            if network in held
        }
        pytorch.assign(target, state)

    def images(self, name: str, channels: int = 3) -> tf.Tensor:
        """Draws images or masks, NHWC."""
        size, batch = self.meta.get("image_size", IMAGE_SIDE), self.meta["batch"]
        images = np.tanh(draw(f"{self.meta['seed']}/{name}", (batch, channels, size, size)))
        return tf.constant(images.transpose(0, 2, 3, 1), self.dtype)

    def latents(self, name: str) -> tf.Tensor:
        """Draws latent codes."""
        codes = draw(f"{self.meta['seed']}/{name}", (self.meta["batch"], self.config.model.latent_dim))
        return tf.constant(codes, self.dtype)

    def batch(self) -> objectives.Batch:
        """Makes the batch that serves every loss and every training iteration."""
        domains, index = self.meta["num_domains"], np.arange(self.meta["batch"])
        batch = objectives.Batch(
            source=self.images("x_real"),
            source_domain=tf.constant(index % domains, tf.int32),
            reference=self.images("x_ref"),
            reference_2=self.images("x_ref2"),
            target_domain=tf.constant((index + 1) % domains, tf.int32),
            latent=self.latents("z_trg"),
            latent_2=self.latents("z_trg2"),
        )
        if self.config.model.w_hpf > 0:
            masks = tuple(tf.abs(self.images(name, channels=1)) for name in ("mask0", "mask1"))
            # The file has no face network: the same masks serve the translated images.
            batch = replace(batch, source_masks=masks, find_masks=lambda images: masks)
        return batch


def check_file(path: Path, float32: bool = False, fused: bool | None = None, training: bool = True) -> Iterator[Row]:
    """Yields a row for every quantity in a reference file.

    Args:
        path: the file.
        float32: show all rows in float32, instead of in float64 and then outputs and losses in float32.
        fused: as in `Reference`.
        training: whether the rows of training iterations are among them, which take most of the time.
    """
    floatx = keras.config.floatx()
    try:
        yield from check_reference(Reference(path, "float32" if float32 else "float64", fused), training=training)
        if not float32:
            for row in check_reference(Reference(path, "float32", fused), only_values=True):
                yield replace(row, name=f"float32/{row.name}")
    finally:
        keras.config.set_floatx(floatx)


def check_reference(reference: Reference, only_values: bool = False, training: bool = True) -> Iterator[Row]:
    """Yields the rows of a file in one precision; with `only_values` those of outputs and losses before training."""
    if "r1" in reference.meta:
        yield from check_r1(reference, only_values)
    if "losses" in reference.meta:
        yield from check_networks(reference, only_values, training and not only_values)
    if "heatmap" in reference.arrays:
        yield from check_face_network(reference)
    if "centers" in reference.arrays:
        yield from check_face_masks(reference)


def check_r1(reference: Reference, only_values: bool) -> Iterator[Row]:
    """Compares R1: its value, the gradient it is made of, and its own gradient, which is of second order."""
    meta = reference.meta
    discriminator = networks.build(reference.config.model, reference.config.training.precision).discriminator
    only_d = Networks(None, None, None, discriminator)
    reference.load_weights(only_d)
    images = reference.images("x_real")
    domain = tf.constant(np.arange(meta["batch"]) % meta["num_domains"], tf.int32)

    @tf.function(autograph=False)
    def compute():
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(discriminator(images, domain))
        image_gradient = tape.gradient(total, images)
        variables = [variable.value for variable in discriminator.trainable_variables]
        with tf.GradientTape() as tape:
            _, penalty = losses.r1(discriminator, images, domain)
        return image_gradient, penalty, tape.gradient(penalty, variables, unconnected_gradients="zero")

    image_gradient, penalty, gradients = compute()
    yield output_row("r1", penalty, meta["r1"])
    if only_values:
        return
    stride = image_gradient[:, ::8, ::8]
    yield output_row("input_gradient_stride8", stride, reference.arrays["input_gradient_stride8"])
    ours = published_norms(only_d, {"discriminator": gradients})
    expected = {f"discriminator/{name}": norm for name, norm in meta["grad_l2"].items()}
    yield from gradient_rows("r1", ours, expected)


def check_networks(reference: Reference, only_values: bool, training: bool) -> Iterator[Row]:
    """Compares outputs, losses, gradient norms and, where the file has them, three training iterations."""
    state = initial_state(reference)
    batch = reference.batch()
    yield from check_outputs(reference, state.networks, batch)
    yield from check_losses(reference, state.networks, batch, only_values)
    if "training" in reference.meta and training:
        yield from check_training(reference, state, batch)


def initial_state(reference: Reference) -> TrainingState:
    """Makes the state before training, with the recipe's weights in the networks and in their averages."""
    state = create_state(reference.config)
    reference.load_weights(state.networks)
    for name, network in state.ema.items():
        network.set_weights(dict(state.networks.items())[name].get_weights())
    return state


def check_outputs(reference: Reference, nets: Networks, batch: objectives.Batch) -> Iterator[Row]:
    """Compares what the networks compute from the recipe's inputs."""

    @tf.function(autograph=False)
    def compute():
        style = nets.mapping_network(batch.latent, batch.target_domain)
        features = nets.generator.encode(batch.source)
        fake = nets.generator.decode(features, style, batch.source_masks)
        return {
            "style_latent": style,
            "style_reference": nets.style_encoder(batch.reference, batch.target_domain),
            "fake_stride8": fake[:, ::8, ::8],
            "fake_no_mask_stride8": nets.generator.decode(features, style)[:, ::8, ::8],
            "logit_real": nets.discriminator(batch.source, batch.source_domain),
            "logit_fake": nets.discriminator(fake, batch.target_domain),
        }

    for name, value in compute().items():
        if name in reference.arrays:
            yield output_row(name, value, reference.arrays[name])


def check_losses(reference: Reference, nets: Networks, batch: objectives.Batch, only_values: bool) -> Iterator[Row]:
    """Compares the four losses, their terms, and the gradient norms of every parameter."""
    weights = reference.config.losses
    lambda_ds = tf.constant(weights.lambda_ds, reference.dtype)

    def latent_guided():
        return objectives.latent_guided_translation(nets, batch)

    def reference_guided():
        return objectives.reference_guided_translation(nets, batch)

    cases = {
        "d_latent": (
            ("discriminator",),
            lambda _: objectives.discriminator_loss(nets, weights, batch, latent_guided().image),
        ),
        "d_reference": (
            ("discriminator",),
            lambda _: objectives.discriminator_loss(nets, weights, batch, reference_guided().image),
        ),
        "g_latent": (
            ("generator", "mapping_network", "style_encoder"),
            lambda _: objectives.latent_guided_loss(nets, weights, batch, latent_guided(), lambda_ds),
        ),
        "g_reference": (
            ("generator",),
            lambda _: objectives.reference_guided_loss(nets, weights, batch, lambda_ds),
        ),
    }
    for case, (updated, loss) in cases.items():
        # Without variables to move, only the loss itself is computed.
        groups = [] if only_values else [nets.variables_of(name) for name in updated]
        variables = [variable for group in groups for variable in group]
        compute = partial(updates.gradients, loss, batch, variables, (), reference.config.training)
        gradients, terms = tf.function(compute, autograph=False)()
        for term, expected in reference.meta["losses"][case].items():
            yield output_row(f"{case}/{term}", terms[term], expected)
        if only_values:
            continue
        by_network = {}
        for name, group in zip(updated, groups, strict=True):
            by_network[name], gradients = gradients[: len(group)], gradients[len(group) :]
        ours = published_norms(nets, by_network)
        yield from gradient_rows(case, ours, reference.meta["grad_l2"][case])


def check_training(reference: Reference, state: TrainingState, batch: objectives.Batch) -> Iterator[Row]:
    """Compares the losses of every iteration, and what the networks and their averages compute afterwards."""
    config = reference.config

    @tf.function(autograph=False)
    def iterate():
        terms = updates.train_step(state, config, batch, tf.identity(state.step))
        update_ema(state, config.optimizers.ema_decay)
        state.step.assign_add(1)
        return terms, updates.diversity_weight(config.losses, state.step)

    for number, expected in enumerate(reference.meta["training"], 1):
        terms, lambda_ds_after = iterate()
        for case, losses_of_case in expected.items():
            if case == "lambda_ds_after":
                yield Row(f"iteration {number}/{case}", relative_error(lambda_ds_after, losses_of_case), TRAINED_LIMIT)
                continue
            for term, value in losses_of_case.items():
                # The very first loss is computed before any update.
                limit = OUTPUT_LIMIT if number == 1 and case == "d_latent" else TRAINED_LIMIT
                error = relative_error(terms[f"{case}/{term}"], value)
                yield Row(f"iteration {number}/{case}/{term}", error, limit)

    @tf.function(autograph=False)
    def compute():
        def translate(nets):
            style = nets.mapping_network(batch.latent, batch.target_domain)
            return nets.generator(batch.source, style, batch.source_masks)[:, ::8, ::8]

        return {
            "fake_after_training_stride8": translate(state.networks),
            "fake_ema_after_training_stride8": translate(state.ema),
            "logit_real_after_training": state.networks.discriminator(batch.source, batch.source_domain),
        }

    for name, value in compute().items():
        yield Row(name, relative_error(value, reference.arrays[name]), TRAINED_LIMIT)


def check_face_network(reference: Reference) -> Iterator[Row]:
    """Compares heatmaps, masks and landmarks that the face network finds in noise."""
    network = FaceNetwork(dtype=reference.dtype)
    reference.load_weights({"fan": network})
    heatmaps = tf.function(network, autograph=False)(reference.images("x_real"))
    masks = face_masks.masks_from_heatmaps(heatmaps, scale=4)
    values = {
        "heatmap": heatmaps[:, ::4, ::4],
        "mask0": masks[0][:, ::2, ::2],
        "mask1": masks[1][:, ::2, ::2],
        "landmarks": landmarks(heatmaps),
    }
    for name, value in values.items():
        yield output_row(name, value, reference.arrays[name])


def check_face_masks(reference: Reference) -> Iterator[Row]:
    """Compares the masks made of 98 Gaussian bumps (sigma 6 px) at given places: the arithmetic of masks alone."""
    places = np.arange(IMAGE_SIDE)
    x, y = (np.exp(-((places - reference.arrays["centers"][..., [axis]]) ** 2) / (2 * 6**2)) for axis in (0, 1))
    heatmaps = tf.constant(np.einsum("bky,bkx->byxk", y, x), reference.dtype)
    for name, mask in zip(("mask0", "mask1"), face_masks.masks_from_heatmaps(heatmaps, scale=1), strict=True):
        yield output_row(name, mask[:, ::2, ::2], reference.arrays[name])


def relative_error(ours, expected) -> float:
    """Returns ||ours - expected|| / ||expected||."""
    ours, expected = np.asarray(ours, np.float64), np.asarray(expected, np.float64)
    if ours.shape != expected.shape:
        raise ValueError(f"ours has shape {ours.shape}, the reference {expected.shape}")
    return float(np.linalg.norm(ours - expected) / np.linalg.norm(expected))


def output_row(name: str, ours, expected) -> Row:
    """Returns the row of an output or loss."""
    return Row(name, relative_error(ours, expected), OUTPUT_LIMIT)


def published_norms(nets: Networks, gradients: dict[str, list[tf.Tensor]]) -> dict[str, float]:
    """Returns the L2 norm of every parameter's gradient by `network/published name`."""
    norms = {}
    places = published_names.parameters(nets)
    for network, values in gradients.items():
        variables = dict(nets.items())[network].trainable_variables
        by_variable = {id(variable): value.numpy() for variable, value in zip(variables, values, strict=True)}
        for name, place in places[network].items():
            gradient = place.select(by_variable[id(place.variable)]).astype(np.float64)
            norms[f"{network}/{name}"] = float(np.linalg.norm(gradient))
    return norms


def gradient_rows(case: str, ours: dict[str, float], expected: dict[str, float]) -> Iterator[Row]:
    """Yields a row for every gradient norm; parameters that the reference leaves out must have no gradient at all."""
    largest = {}
    for name, norm in expected.items():
        network = name.split("/")[0]
        largest[network] = max(norm, largest.get(network, 0.0))
    for name, norm in ours.items():
        scale = largest[name.split("/")[0]]
        target = expected.get(name, 0.0)
        divisor = target if target > ZERO_GRADIENT * scale else scale
        yield Row(f"{case}/grad_l2/{name}", abs(norm - target) / divisor, GRADIENT_LIMIT)
    for name in expected:
        if name not in ours:
            yield Row(f"{case}/grad_l2/{name}", float("nan"), GRADIENT_LIMIT)


def main(argv: list[str] | None = None) -> int:
    """Prints the table for every file given, and returns 1 if any row is over its limit."""
    parser = argparse.ArgumentParser(prog="tests.parity", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.npz", help="reference files")
    parser.add_argument("--float32", action="store_true", help="show all rows in float32, with its rounding")
    parser.add_argument(
        "--fused",
        action=argparse.BooleanOptionalAction,
        help="compute in the fused forms, or not; by default as training does on this machine",
    )
    arguments = parser.parse_args(argv)
    files = arguments.files
    for path in files:
        if not path.is_file():
            parser.error(f"there is no reference file {str(path)!r}")
    bad = total = 0
    for path in files:
        print(f"\n{path}\n{'quantity':<68} {'rel. error':>10} {'limit':>7}  ok", flush=True)
        for row in check_file(path, arguments.float32, arguments.fused):
            total += 1
            bad += not row.ok
            print(f"{row.name:<68} {row.error:>10.2e} {row.limit:>7.0e}  {'yes' if row.ok else 'NO'}", flush=True)
    print(f"\n{total} quantities, {total - bad} within their limits, {bad} over")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
