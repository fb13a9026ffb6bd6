"""The settings of a run: length, arithmetic, devices, records and evaluations."""

from dataclasses import dataclass, field
from typing import Literal

from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeInt, PositiveInt, Seed
from stargan_tf.config.fields import MAY_CHANGE


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
        require_gpu: whether it is an error that TensorFlow finds no GPU, where it would train on the CPU otherwise.
        threads_per_op: CPU threads that one operation may use, by default all; small networks are faster with 1.
        microbatches: parts of a device's batch that are computed one after the other: the memory of a part, the update
            of the whole; by default 1.
        steps_per_call: steps that are computed in one call of the compiled graph, fewer where something is to be
            written; small networks are somewhat faster with several, and a signal is answered after the call.
        rematerialize: whether the backward pass recomputes the activations inside blocks instead of keeping them: less
            memory, more time.
        memory_pool: whether, on a CPU, memory that tensors gave back is kept for others; without it a run needs less
            memory and more time, see docs/performance.md.
        jit_compile: whether XLA compiles the gradients; starting takes minutes.
        deterministic: whether operations give the same bits every time, so that a run that was stopped and resumed
            ends with the same weights as one that was not; somewhat slower.
        on_nonfinite: when a loss, gradient or weight is not finite, `stop`, or `rollback` to the last checkpoint and
            continue from there with other latent codes and images.
        max_rollbacks: how often a run may roll back before it stops.
        log_every: steps between entries of TensorBoard and metrics.jsonl.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: how many of the newest checkpoints to keep.
        profile_steps: first and last step to trace for TensorBoard's profiler; by default none.
        eval_every: steps between evaluations by the published protocol, the last step included; 0 for none.
        eval_sources: validation images of each domain that are translated in an evaluation.
        eval_extractor: network whose features are compared, as --extractor of `stargan_tf.evaluate`.
        eval_distance: perceptual distance between translations of one source, as --distance of `stargan_tf.evaluate`.
        eval_metric: metric that selects the best checkpoint, its mean over tasks, latent- and reference-guided: fid and
            kid are better if low, the others if high.
        keep_best: whether the best checkpoint is kept beside the newest ones.
    """

    steps: PositiveInt = field(default=100_000, metadata=MAY_CHANGE)
    seed: Seed = 0
    precision: str = "float32"
    tf32: bool = field(default=True, metadata=MAY_CHANGE)
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker"] = field(default="auto", metadata=MAY_CHANGE)
    devices: PositiveInt | None = field(default=None, metadata=MAY_CHANGE)
    require_gpu: bool = field(default=False, metadata=MAY_CHANGE)
    threads_per_op: PositiveInt | None = field(default=None, metadata=MAY_CHANGE)
    microbatches: PositiveInt = field(default=1, metadata=MAY_CHANGE)
    steps_per_call: PositiveInt = field(default=1, metadata=MAY_CHANGE)
    rematerialize: bool = field(default=False, metadata=MAY_CHANGE)
    memory_pool: bool = field(default=True, metadata=MAY_CHANGE)
    jit_compile: bool = field(default=False, metadata=MAY_CHANGE)
    deterministic: bool = field(default=False, metadata=MAY_CHANGE)
    on_nonfinite: Literal["stop", "rollback"] = field(default="stop", metadata=MAY_CHANGE)
    max_rollbacks: NonNegativeInt = field(default=3, metadata=MAY_CHANGE)
    log_every: PositiveInt = field(default=50, metadata=MAY_CHANGE)
    sample_every: PositiveInt = field(default=5000, metadata=MAY_CHANGE)
    checkpoint_every: PositiveInt = field(default=5000, metadata=MAY_CHANGE)
    keep_checkpoints: PositiveInt = field(default=3, metadata=MAY_CHANGE)
    profile_steps: tuple[int, int] | None = field(default=None, metadata=MAY_CHANGE)
    eval_every: NonNegativeInt = field(default=0, metadata=MAY_CHANGE)
    eval_sources: PositiveInt = field(default=50, metadata=MAY_CHANGE)
    eval_extractor: str = field(default="classifier", metadata=MAY_CHANGE)
    eval_distance: str = field(default="classifier", metadata=MAY_CHANGE)
    eval_metric: Literal["fid", "kid", "lpips", "precision", "recall", "density", "coverage"] = field(
        default="fid", metadata=MAY_CHANGE
    )
    keep_best: bool = field(default=True, metadata=MAY_CHANGE)


def check_precision(precision: str) -> None:
    """Checks the arithmetic of the networks.

    Raises:
        UserError: it is not supported; for float16 with the reason.
    """
    right = "float32 or mixed_bfloat16"
    if "float16" in precision and "bfloat16" not in precision:
        right += (
            ": the gradients of R1 leave the range of float16, and the loss scaling that is to keep them inside goes "
            "wrong on several devices, while bfloat16 has the range of float32"
        )
    if precision not in ("float32", "mixed_bfloat16"):
        raise UserError(f"--training.precision is {precision}; it must be {right}")
