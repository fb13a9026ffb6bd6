"""The training program: train_and_evaluate(config, data, run)."""

import math
import time
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from stargan_tf import run_directory
from stargan_tf.config import Config, check_replicas, resolve
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.input_pipeline import training_dataset
from stargan_tf.data.records import DataDirectory, fingerprint
from stargan_tf.errors import UserError
from stargan_tf.interop import face_network as face_networks
from stargan_tf.run_directory import FACE_NETWORK_FILE
from stargan_tf.training import initialization
from stargan_tf.training.checkpoints import Checkpoints, check_trainable, find_latest
from stargan_tf.training.distribution import create_strategy
from stargan_tf.training.iteration import compile_iteration
from stargan_tf.training.state import create_state
from stargan_tf.training.step import Metrics
from stargan_tf.training.stop_signals import StopSignals
from stargan_tf.training.summaries import Summaries
from stargan_tf.translation import Translator

# What the progress bar shows of the losses.
_SHOWN = {"g_latent/total": "G", "d_latent/total": "D", "g_latent/cyc": "cyc", "g_latent/sty": "sty"}

# A process that a signal has ended reports this plus the signal's number.
_SIGNAL_EXIT_CODE = 128


class NonFiniteLossError(UserError):
    """A loss or gradient became infinite or NaN."""


def train_and_evaluate(
    config: Config, data: DataDirectory, run: Path, face_network: Path | None = None, init_from: Path | None = None
) -> int:
    """Trains, or goes on training, until `config.training.steps` iterations are done.

    Args:
        config: what the user asked for; what it leaves open is decided by the data.
        data: the data directory.
        run: the run directory, new or of an earlier part of this run.
        face_network: a face alignment network for the high-pass skip, see `interop.face_network.load`; by default
            that of `init_from`.
        init_from: run directory whose weights a new run starts from.

    Returns:
        0 when all steps are done, 128 plus the signal's number after a stop by SIGINT or SIGTERM, which saves first.

    Raises:
        UserError: configuration, data and run directory do not go together.
        NonFiniteLossError: a loss or gradient is not finite; what was saved before stays.
    """
    # ------------------------------------------------------------------ checks, before any work
    config = resolve(config, data.domains, data.image_size)
    strategy = create_strategy(config.training.devices)
    check_replicas(config, strategy.num_replicas_in_sync)
    check_trainable(run)
    # The same command starts a run and goes on with it; then, what the run started from may be gone.
    starts = find_latest(run) is None
    if init_from is not None and starts:
        initialization.check(config, init_from)
        if face_network is None and config.model.needs_face_network and (init_from / FACE_NETWORK_FILE).is_file():
            face_network = init_from
    tensors = face_networks.choose(config, run, face_network)
    run_directory.open_for_training(run, config)
    if tensors is not None:
        face_networks.save(tensors, run)

    # ------------------------------------------------------------------ state
    with strategy.scope():
        state = create_state(config)
        face_alignment = face_networks.load_for(config, run)
    checkpoints = Checkpoints(state, config, run)
    first_step = checkpoints.restore_latest()
    if init_from is not None and starts:
        print(initialization.initialize(state, config, init_from))
        checkpoints.save()  # so that a run killed before its first checkpoint begins with these weights again
    steps = config.training.steps
    if first_step >= steps:
        print(f"{run} is trained: {first_step} of {steps} steps; raise --training.steps to go on")
        return 0
    run_directory.record_data(
        run,
        {
            "step": first_step,
            "path": str(data.path),
            "fingerprint": fingerprint(data),
            "num_examples": dict(data.num_examples),
        },
    )
    print(
        f"{'resuming' if first_step else 'training'} {run} on {_describe(strategy)} from step {first_step} to {steps}"
    )
    if config.model.w_hpf > 0 and face_alignment is None:
        print("note: without face masks (model.face_masks is false) the high-pass skip carries nothing over")

    # ------------------------------------------------------------------ input, step, records
    corrupt = CorruptRecords(config.input.max_corrupt_records)
    dataset = training_dataset(data, config.input, config.training.seed, first_step, corrupt=corrupt)
    batches = iter(strategy.experimental_distribute_dataset(dataset))
    iterate = compile_iteration(strategy, state, config, face_alignment)
    translator = Translator(state.ema, config, config.input.batch_size, face_alignment)
    summaries = Summaries(config, data, translator, run)
    window = Window(config)

    # ------------------------------------------------------------------ loop
    print("the first step compiles the graph, which takes a while", flush=True)
    with (
        corrupt.user_errors(),
        StopSignals() as stop,
        tqdm(total=steps, initial=first_step, unit="step", disable=None, dynamic_ncols=True) as bar,
    ):
        for step in range(first_step + 1, steps + 1):
            window.add(step, iterate(next(batches)))
            bar.update()
            last = step == steps or stop.received is not None
            saving = last or step % config.training.checkpoint_every == 0
            sampling = stop.received is None and (last or step % config.training.sample_every == 0)
            if saving or sampling or step % config.training.log_every == 0:
                metrics = window.close()  # raises if a loss is not finite: such a state is never saved or drawn
                summaries.write_metrics(step, metrics)
                shown = {short: f"{metrics[name]:.3f}" for name, short in _SHOWN.items()}
                bar.set_postfix(shown | {"img/s": f"{metrics['speed/images_per_second']:.0f}"})
                if bar.disable:  # not a terminal: a line now and then instead of a bar
                    print(f"step {step} of {steps}:", " ".join(f"{k} {v}" for k, v in shown.items()), flush=True)
            if saving:
                checkpoints.save()
            if sampling:
                summaries.write_samples(step)
                window.restart_clock()
            if last:
                break
    summaries.flush()
    if stop.received is not None and step < steps:
        print(f"stopped by {stop.received.name} after step {step}, which is saved; the same command goes on from there")
        return _SIGNAL_EXIT_CODE + stop.received
    print(f"trained {steps} steps: samples in {run / 'samples'}, TensorBoard: tensorboard --logdir {run / 'logs'}")
    return 0


class Window:
    """Collects the metrics of the steps between two records, without waiting for the device at each of them."""

    def __init__(self, config: Config):
        self._config = config
        self._steps: list[tuple[int, Metrics]] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Leaves what happened so far out of the measured speed; to be called when no steps are pending."""
        self._start = time.perf_counter()

    def add(self, step: int, metrics: Metrics) -> None:
        """Adds one step."""
        self._steps.append((step, metrics))

    def close(self) -> dict[str, float]:
        """Returns the means over the window, the rates and the speed, and begins the next window.

        Raises:
            NonFiniteLossError: something is not finite, with the steps in question.
        """
        values = [(step, {name: float(value) for name, value in metrics.items()}) for step, metrics in self._steps]
        for step, metrics in values:
            bad = [name for name, value in metrics.items() if not math.isfinite(value)]
            if bad:
                raise NonFiniteLossError(
                    f"{bad[0]} is {metrics[bad[0]]} at step {step}, in the window of steps {values[0][0]} to "
                    f"{values[-1][0]}; nothing of this window is saved, so the same command goes on from the last "
                    "checkpoint, and a lower --optimizers.learning_rate may help"
                )
        seconds = (time.perf_counter() - self._start) / len(values)
        means = {name: sum(metrics[name] for _, metrics in values) / len(values) for name in values[0][1]}
        self._steps = []
        self.restart_clock()
        return means | {
            "learning_rate/networks": self._config.optimizers.learning_rate,
            "learning_rate/mapping_network": self._config.optimizers.mapping_learning_rate,
            "speed/steps_per_second": 1 / seconds,
            "speed/images_per_second": self._config.input.batch_size / seconds,
        }


def _describe(strategy: tf.distribute.Strategy) -> str:
    devices = strategy.extended.worker_devices
    kind = tf.DeviceSpec.from_string(devices[0]).device_type
    return f"{len(devices)} {kind}{'s' if len(devices) > 1 else ''}"
