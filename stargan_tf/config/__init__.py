"""The configuration of a run: frozen dataclasses, presets, checks, YAML in and out."""

import dataclasses
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from stargan_tf.base.command_line import parse
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text

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
        max_channels: where the doubling stops.
        w_hpf: weight of the high-pass skip; 0 for none, 1 for the published faces. Needs square images whose side is a
            power of two.
        face_masks: with the high-pass skip, whether a face alignment network says where the source shows through;
            false goes without: nothing is carried over then.
        spectral_norm: spectral normalization of every convolution of the discriminator (not in the paper).
        fused: compute halving, doubling and normalization in fused forms: the same function and weights, fewer
            operations. By default where it was measured to be faster, which is on CPUs.
    """

    image_size: int | tuple[int, int] | None = None
    num_domains: int | None = None
    latent_dim: int = 16
    style_dim: int = 64
    hidden_dim: int = 512
    base_channels: int | None = None
    max_channels: int = 512
    w_hpf: float = 0.0
    face_masks: bool = True
    spectral_norm: bool = False
    fused: bool | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.image_size, self.image_size) if isinstance(self.image_size, int) else tuple(self.image_size)

    @property
    def full_resolution_channels(self) -> int:
        """Channels at full resolution."""
        return 2**14 // 2 ** log2_size(self.size) if self.base_channels is None else self.base_channels

    @property
    def needs_face_network(self) -> bool:
        """Whether a face alignment network belongs to the model."""
        return self.w_hpf > 0 and self.face_masks


@dataclass(frozen=True)
class LossConfig:
    """The terms of the objective (paper, section 2.2).

    Args:
        adversarial: form of the adversarial loss; the paper's is `logistic` (non-saturating).
        lambda_reg: weight of R1.
        reg_every: n: R1 is part of D's loss only in every n-th step, with n times the weight (lazy
            regularization, arXiv 1912.04958, appendix B): faster, but not the published training.
        lambda_sty: weight of the style reconstruction.
        lambda_ds: weight of the diversity term at the first step.
        ds_iter: steps over which `lambda_ds` falls linearly to 0.
        lambda_cyc: weight of the cycle consistency.
        differentiable_augmentation: what is done to every image that the discriminator sees, real or generated: any of
            color, translation and cutout (not in the paper); it helps with few images. By default nothing.
    """

    adversarial: Literal["logistic", "least_squares", "hinge"] = "logistic"
    lambda_reg: float = 1.0
    reg_every: int = 1
    lambda_sty: float = 1.0
    lambda_ds: float = 1.0
    ds_iter: int = 100_000
    lambda_cyc: float = 1.0
    differentiable_augmentation: tuple[Literal["color", "translation", "cutout"], ...] = ()


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam and the moving average of the weights (paper, appendix B).

    Args:
        learning_rate: of generator, style encoder and discriminator.
        mapping_learning_rate: of the mapping network.
        beta_1: decay of Adam's first moment.
        beta_2: decay of Adam's second moment.
        epsilon: added to the bias-corrected root of the second moment.
        l2: weight of the L2 term that is added to the gradient of every parameter before Adam's moments.
        ema_decay: decay of the moving average of generator, mapping network and style encoder.
    """

    learning_rate: float = 1e-4
    mapping_learning_rate: float = 1e-6
    beta_1: float = 0.0
    beta_2: float = 0.99
    epsilon: float = 1e-8
    l2: float = 1e-4
    ema_decay: float = 0.999

    def rate_of(self, network: str) -> float:
        """Returns the learning rate of a network by its name; only the mapping network has one of its own."""
        return self.mapping_learning_rate if network == "mapping_network" else self.learning_rate


@dataclass(frozen=True)
class DataConfig:
    """Batches and augmentation.

    Args:
        batch_size: source images of one step, over all devices together.
        max_corrupt_records: how many damaged records may be skipped, each counted once, before it is an error.
        crop_probability: share of images that are cropped at random.
        crop_area: smallest and largest share of the area that a random crop keeps.
        crop_ratio: smallest and largest width / height of a random crop, relative to that of the image.
        flip_probability: share of images that are mirrored.
    """

    batch_size: int = 8
    max_corrupt_records: int = 0
    crop_probability: float = 0.5
    crop_area: tuple[float, float] = (0.8, 1.0)
    crop_ratio: tuple[float, float] = (0.9, 1.1)
    flip_probability: float = 0.5


@dataclass(frozen=True)
class RunConfig:
    """How long to train, how exactly, and what to write down.

    Args:
        steps: iterations in all, those before a resume included.
        seed: of weights, latent codes, order of images and augmentation.
        precision: arithmetic of the networks, float32 or mixed_bfloat16; weights, losses and optimizers are always
            float32.
        tf32: on GPUs that have it, whether float32 convolutions round their factors to 10 bits of mantissa, which is
            several times faster.
        strategy: `one_device`, `mirrored` over the devices of this machine, `multi_worker` over those of all processes
            that the environment variable TF_CONFIG lists; `auto` takes what TF_CONFIG and the devices suggest.
        devices: GPUs, or logical CPUs without any, of this machine that share its part of a batch; by default all.
        threads_per_op: CPU threads that one operation may use, by default all; small networks are faster with 1.
        microbatches: parts of a device's batch that are computed one after the other: the memory of a part, the update
            of the whole; by default 1.
        steps_per_call: steps that are computed in one call of the compiled graph, fewer where something is to be
            written; small networks are somewhat faster with several, and a signal is answered after the call.
        rematerialize: whether the backward pass computes the insides of blocks again instead of keeping them: less
            memory, more time.
        jit_compile: whether XLA compiles the gradients; starting takes minutes.
        deterministic: whether operations give the same bits every time, so that a run that was stopped and goes on
            ends with the very weights of one that was not; somewhat slower.
        on_nonfinite: when a loss, gradient or weight is not finite, `stop`, or `rollback` to the last checkpoint and go
            on from there with other latent codes and images.
        max_rollbacks: how often a run may roll back before it stops.
        log_every: steps between entries of TensorBoard and metrics.jsonl.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: how many of the newest checkpoints to keep.
        profile_steps: first and last step to trace for TensorBoard's profiler; by default none.
        eval_every: steps between evaluations by the published protocol, of which the last step has one too; 0 for none.
        eval_sources: validation images of each domain that they translate.
        eval_extractor: gives the features of FID and its kind, as --extractor of `stargan_tf.evaluate`.
        eval_distance: between translations of one source, as --distance there.
        eval_metric: by which of their measures the best checkpoint is known: fid and kid are better if low, the others
            if high; the mean over tasks, latent- and reference-guided.
        keep_best: whether the best checkpoint is kept beside the newest ones.
    """

    steps: int = 100_000
    seed: int = 0
    precision: str = "float32"
    tf32: bool = True
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker"] = "auto"
    devices: int | None = None
    threads_per_op: int | None = None
    microbatches: int = 1
    steps_per_call: int = 1
    rematerialize: bool = False
    jit_compile: bool = False
    deterministic: bool = False
    on_nonfinite: Literal["stop", "rollback"] = "stop"
    max_rollbacks: int = 3
    log_every: int = 50
    sample_every: int = 5000
    checkpoint_every: int = 5000
    keep_checkpoints: int = 3
    profile_steps: tuple[int, int] | None = None
    eval_every: int = 0
    eval_sources: int = 50
    eval_extractor: str = "classifier"
    eval_distance: str = "classifier"
    eval_metric: Literal["fid", "kid", "lpips", "precision", "recall", "density", "coverage"] = "fid"
    keep_best: bool = True


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes.

    Args:
        domains: names of the domains, in order; by default those of the data.
        model: the networks.
        losses: the objective.
        optimizers: Adam and the moving average.
        input: batches and augmentation.
        training: length, precision and records of the run.
    """

    domains: tuple[str, ...] | None = None
    model: ModelConfig = field(default_factory=ModelConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    optimizers: OptimizerConfig = field(default_factory=OptimizerConfig)
    input: DataConfig = field(default_factory=DataConfig)
    training: RunConfig = field(default_factory=RunConfig)


PRESETS: dict[str, Config] = {
    # The published settings, paper section 3 and appendix B: 100,000 steps, about 3 days on one V100 then.
    "afhq_256": Config(
        model=ModelConfig(image_size=256, num_domains=3),
        losses=LossConfig(lambda_ds=2.0),
    ),
    "celeba_hq_256": Config(
        model=ModelConfig(image_size=256, num_domains=2, w_hpf=1.0),
        losses=LossConfig(lambda_ds=1.0),
    ),
    # Small networks and high rates that translate the generated shapes after minutes on two CPU cores. No crops: they
    # stretch, and circles and squares are told apart by their proportions.
    "quickstart": Config(
        model=ModelConfig(base_channels=16, max_channels=64, style_dim=16, hidden_dim=64),
        losses=LossConfig(lambda_ds=1.0, ds_iter=5500),
        optimizers=OptimizerConfig(learning_rate=5e-4, mapping_learning_rate=5e-5, ema_decay=0.995),
        input=DataConfig(crop_probability=0.0),
        training=RunConfig(steps=7000, threads_per_op=1, log_every=50, sample_every=500, checkpoint_every=500),
    ),
}

# What may change from one part of a run to the next; everything else would make it another run.
_MAY_CHANGE_ON_RESUME = frozenset(
    [
        "model.fused",
        "input.max_corrupt_records",
        *(
            f"training.{name}"
            for name in (
                "steps",
                "tf32",
                "strategy",
                "devices",
                "threads_per_op",
                "microbatches",
                "steps_per_call",
                "rematerialize",
                "jit_compile",
                "deterministic",
                "on_nonfinite",
                "max_rollbacks",
                "log_every",
                "sample_every",
                "checkpoint_every",
                "keep_checkpoints",
                "profile_steps",
                "eval_every",
                "eval_sources",
                "eval_extractor",
                "eval_distance",
                "eval_metric",
                "keep_best",
            )
        ),
    ]
)


# Fields that older versions wrote into the configurations of runs, and why they are gone.
_REMOVED = {
    "input.reader_processes": "threads read as fast",
}
# Whose removed fields were told; commands read the configuration of a run more than once.
_noted: set[Path] = set()


def preset(name: str) -> Config:
    """Returns the preset of that name.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(f"there is no preset {name!r}; choose one of {', '.join(sorted(PRESETS))}")
    return PRESETS[name]


def flatten(config: Config) -> dict[str, Any]:
    """Returns the values of a configuration by dotted name (`model.style_dim`), as the command line spells them."""
    return dict(_flatten(dataclasses.asdict(config)))


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def save(config: Config, path: Path) -> None:
    """Writes a configuration as YAML."""
    plain = yaml.safe_load(yaml.dump(dataclasses.asdict(config), Dumper=_PlainDumper, sort_keys=False))
    write_text(path, yaml.safe_dump(plain, sort_keys=False))


class _PlainDumper(yaml.SafeDumper):
    """Writes tuples as lists."""


_PlainDumper.add_representer(tuple, yaml.SafeDumper.represent_list)


def load(path: Path) -> Config:
    """Reads a configuration that `save` wrote, or one written by hand; what it leaves out has its default.

    Fields that only an older version knew are left out with a note, so that its runs can still be used.

    Raises:
        UserError: the file is missing, or names a field or value that does not exist.
    """
    if not path.is_file():
        raise UserError(f"there is no configuration file {str(path)!r}")
    kept = _without_removed_fields(path)
    if kept is None:
        return parse(Config, ["--config", str(path)], program=str(path))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / path.name
        file.write_text(yaml.safe_dump(kept, sort_keys=False))
        try:
            return parse(Config, ["--config", str(file)], program=str(path))
        except UserError as error:
            raise UserError(str(error).replace(str(file), str(path))) from error


def _without_removed_fields(path: Path) -> dict[str, Any] | None:
    """Returns the content of a file without fields that do not exist any more; None if it has none of them."""
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        return None  # for the parser to tell
    found = []
    for name, reason in _REMOVED.items():
        *groups, field_name = name.split(".")
        group = values
        for part in groups:
            group = group.get(part) if isinstance(group, Mapping) else None
        if isinstance(group, dict) and field_name in group:
            del group[field_name]
            found.append(f"{name} ({reason})")
    if not found:
        return None
    if path not in _noted:
        _noted.add(path)
        print(
            f"note: {path} is of an older version; left out, as it has no effect now: {', '.join(found)}",
            file=sys.stderr,
        )
    return values


def resolve(config: Config, domains: Sequence[str], image_size: tuple[int, int]) -> Config:
    """Fills in what the data decides, and checks that configuration and data agree.

    Args:
        config: as the user gave it.
        domains: names of the data's domains, in order.
        image_size: height and width of the data's images in pixels.

    Returns:
        The configuration with `domains`, `model.num_domains` and `model.image_size` set, checked.

    Raises:
        UserError: the data has other domains or another size, or `check` finds a mistake.
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
            f"the configuration's image size is {_times(model.size)} but the data's is {_times(image_size)}; "
            "prepare the data at that size, or set --model.image_size to the data's"
        )
    square = image_size[0] == image_size[1]
    config = replace(
        config,
        domains=domains,
        model=replace(model, num_domains=len(domains), image_size=image_size[0] if square else tuple(image_size)),
    )
    check(config)
    return config


def check(config: Config) -> None:
    """Checks every value, and values against each other.

    Args:
        config: with `model.image_size` and `model.num_domains` set.

    Raises:
        UserError: the first mistake found, with what would be right.
    """
    check_model(config.model)
    losses, optimizers, data, run = config.losses, config.optimizers, config.input, config.training
    for name, value in (
        ("losses.lambda_reg", losses.lambda_reg),
        ("losses.lambda_sty", losses.lambda_sty),
        ("losses.lambda_ds", losses.lambda_ds),
        ("losses.lambda_cyc", losses.lambda_cyc),
        ("optimizers.l2", optimizers.l2),
        ("input.max_corrupt_records", data.max_corrupt_records),
        ("training.eval_every", run.eval_every),
    ):
        _require(value >= 0, name, value, "at least 0")
    for name, value in (
        ("losses.ds_iter", losses.ds_iter),
        ("losses.reg_every", losses.reg_every),
        ("input.batch_size", data.batch_size),
        ("training.steps", run.steps),
        ("training.devices", 1 if run.devices is None else run.devices),
        ("training.threads_per_op", 1 if run.threads_per_op is None else run.threads_per_op),
        ("training.microbatches", run.microbatches),
        ("training.steps_per_call", run.steps_per_call),
        ("training.log_every", run.log_every),
        ("training.sample_every", run.sample_every),
        ("training.checkpoint_every", run.checkpoint_every),
        ("training.keep_checkpoints", run.keep_checkpoints),
        ("training.eval_sources", run.eval_sources),
    ):
        _require(value >= 1, name, value, "at least 1")
    for name, value in (
        ("optimizers.learning_rate", optimizers.learning_rate),
        ("optimizers.mapping_learning_rate", optimizers.mapping_learning_rate),
        ("optimizers.epsilon", optimizers.epsilon),
    ):
        _require(value > 0, name, value, "above 0")
    for name, value in (
        ("optimizers.beta_1", optimizers.beta_1),
        ("optimizers.beta_2", optimizers.beta_2),
        ("optimizers.ema_decay", optimizers.ema_decay),
    ):
        _require(0 <= value < 1, name, value, "at least 0 and below 1")
    _require(0 <= run.seed < 2**31, "training.seed", run.seed, "at least 0 and below 2^31")
    check_precision(run.precision)
    if run.jit_compile and run.rematerialize:
        raise UserError(
            "--training.rematerialize has no effect with --training.jit_compile, since XLA merges what is computed "
            "twice; choose one of them"
        )
    _require(run.max_rollbacks >= 0, "training.max_rollbacks", run.max_rollbacks, "at least 0")
    first, last = run.profile_steps or (1, 1)
    _require(
        1 <= first <= last, "training.profile_steps", run.profile_steps, "two rising steps from 1 on, like [10, 15]"
    )
    for name, value in (
        ("input.crop_probability", data.crop_probability),
        ("input.flip_probability", data.flip_probability),
    ):
        _require(0 <= value <= 1, name, value, "between 0 and 1")
    kinds = losses.differentiable_augmentation
    _require(
        len(set(kinds)) == len(kinds) and set(kinds) <= {"color", "translation", "cutout"},
        "losses.differentiable_augmentation",
        kinds,
        "different ones of color, translation and cutout",
    )
    low, high = data.crop_area
    _require(0 < low <= high <= 1, "input.crop_area", data.crop_area, "two rising shares above 0 and at most 1")
    low, high = data.crop_ratio
    _require(0 < low <= high, "input.crop_ratio", data.crop_ratio, "two rising numbers above 0")


def check_precision(precision: str) -> None:
    """Checks the arithmetic of the networks.

    Raises:
        UserError: it is not supported; for float16 with the reason.
    """
    name, right = "training.precision", "float32 or mixed_bfloat16"
    if "float16" in precision and "bfloat16" not in precision:
        right += (
            ": the gradients of R1 leave the range of float16, and the loss scaling that is to keep them inside goes "
            "wrong on several devices, while bfloat16 has the range of float32"
        )
    _require(precision in ("float32", "mixed_bfloat16"), name, precision, right)


def check_model(model: ModelConfig) -> None:
    """Checks the part of a configuration that the networks are built from.

    Raises:
        UserError: the first mistake found, with what would be right.
    """
    _require(model.num_domains >= 2, "model.num_domains", model.num_domains, "at least 2")
    for name in ("latent_dim", "style_dim", "hidden_dim", "max_channels"):
        _require(getattr(model, name) >= 1, f"model.{name}", getattr(model, name), "at least 1")
    channels = model.base_channels
    _require(channels is None or channels >= 1, "model.base_channels", channels, "at least 1")
    check_image_size(model.size)
    _require(model.w_hpf >= 0, "model.w_hpf", model.w_hpf, "at least 0")
    if model.w_hpf > 0 and model.size not in [(2**n, 2**n) for n in range(5, 16)]:
        raise UserError(
            f"the high-pass skip (model.w_hpf {model.w_hpf}) needs square images whose side is a power of two, "
            f"at least 32, not {_times(model.size)}"
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
        raise UserError(f"image size {_times(size)} is too small: both sides must be at least {MIN_IMAGE_SIDE}")
    stride = total_stride(size)
    if any(side % stride for side in size):
        below = shorter // stride * stride
        raise UserError(
            f"image size {_times(size)} cannot work: at this size both sides must be multiples of {stride}, "
            f"for example {below} or {below + stride}"
        )


def total_stride(size: tuple[int, int]) -> int:
    """Returns what both sides must be multiples of: the stride of the style encoder and of the discriminator."""
    return 2 ** (log2_size(size) - 2)


def log2_size(size: tuple[int, int]) -> int:
    """Returns log2 of the shorter side, rounded down: it sets the depth of all networks."""
    return min(size).bit_length() - 1


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


def check_same_run(saved: Config, config: Config, run: Path) -> None:
    """Checks that a run is continued with the configuration that it was started with.

    Args:
        saved: the configuration in the run directory.
        config: the one asked for now.
        run: the run directory, for the message.

    Raises:
        UserError: they differ in more than length and records of the run.
    """
    changed = differences(flatten(saved), flatten(config))
    if changed:
        raise UserError(
            f"the run directory {str(run)!r} belongs to another configuration ({'; '.join(changed)}); "
            "choose another directory, or leave these settings as they are to resume"
        )


def differences(saved: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Says what makes a configuration that of another run.

    Args:
        saved: values by dotted name, as `flatten` gives them, of the run; a field that it does not know, because an
            older version wrote it, does not count.
        values: those asked for now.

    Returns:
        A phrase for each field that differs and may not change from one part of a run to the next.
    """
    return [
        f"{name} is {_plain(saved[name])} there and {_plain(value)} now"
        for name, value in values.items()
        if name in saved and name not in _MAY_CHANGE_ON_RESUME and _plain(saved[name]) != _plain(value)
    ]


def _require(condition: bool, name: str, value: Any, right: str) -> None:
    if not condition:
        raise UserError(f"--{name} is {value}; it must be {right}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _times(size: Sequence[int]) -> str:
    return "x".join(str(side) for side in size)
