"""The training program: train_and_evaluate(config, data, run)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from stargan_tf.base.errors import SIGNAL_EXIT_CODE
from stargan_tf.config import Config, check_replicas, resolve
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.records import DataDirectory
from stargan_tf.runs import face_network as face_networks
from stargan_tf.runs.checkpoints import Checkpoints
from stargan_tf.runs.run_directory import LOGS
from stargan_tf.runs.state import create_state
from stargan_tf.training import agreement, initialization
from stargan_tf.training.batches import batches_from
from stargan_tf.training.calls import compile_steps
from stargan_tf.training.distribution import create_strategy, describe
from stargan_tf.training.hooks import evaluation, schedule
from stargan_tf.training.hooks.measurements import Measurements, NonFiniteError
from stargan_tf.training.hooks.opened import open_hooks
from stargan_tf.training.hooks.rollback import roll_back
from stargan_tf.training.hooks.stop_signals import StopSignals
from stargan_tf.training.memory import enough_memory
from stargan_tf.training.workers import Workers


def train_and_evaluate(
    config: Config,
    data: DataDirectory,
    run: Path,
    face_network: Path | None = None,
    init_from: Path | None = None,
    read_face_network: Callable[[Path], dict[str, np.ndarray]] = face_networks.read,
    allow_changes: bool = False,
) -> int:
    """Trains, or goes on training, until `config.training.steps` iterations are done.

    Of several workers that train together, each calls this; the first one, the chief, alone writes.

    Args:
        config: what the user asked for; what it leaves open is decided by the data.
        data: the data directory.
        run: the run directory, new or of an earlier part of this run.
        face_network: file of a face network for the high-pass skip, or a directory that has one; by default that of
            `init_from`.
        init_from: run directory whose weights a new run starts from.
        read_face_network: reads the tensors of `face_network`; by default from files of runs only.
        allow_changes: whether settings of losses, optimizers and input may change when the run goes on.

    Returns:
        0 when all steps are done, 128 plus the signal's number after a stop by SIGINT or SIGTERM, which saves first.

    Raises:
        UserError: the parts do not go together, the run directory cannot be written, or memory does not suffice.
        NonFiniteError: a loss, gradient or weight is not finite; what was saved before stays.
        WorkerLostError: another worker does not answer.
    """
    config = resolve(config, data.domains, data.image_size, data.image_config)
    evaluation.check(config.training, data)
    facts = partial(agreement.facts, config, data, run, init_from)
    strategy = create_strategy(config.training.strategy, config.training.devices, facts)
    check_replicas(config, strategy.num_replicas_in_sync)
    workers = Workers(strategy)
    with workers.watched(), enough_memory(config):
        init_from = initialization.open_run(
            config, run, face_network, init_from, read_face_network, workers, allow_changes
        )
        return _train(config, data, run, init_from, workers)


def _train(config: Config, data: DataDirectory, run: Path, init_from: Path | None, workers: Workers) -> int:
    settings, steps, say, strategy = config.training, config.training.steps, workers.say, workers.strategy

    # ------------------------------------------------------------------ state
    with strategy.scope():
        state = create_state(config)
        face_network = face_networks.load_for(config, run)
    checkpoints = Checkpoints(state, config, run, writes=workers.is_chief)
    step = initialization.restore(state, config, checkpoints, run, init_from, workers)

    if step >= steps:
        if workers.is_chief and evaluation.is_pending(settings, run, step):
            open_hooks(config, data, run, state, face_network, checkpoints, Measurements(config), StopSignals())
        say(f"{run} is trained: {step} of {steps} steps; raise --training.steps to go on")
        return 0
    say(f"{'resuming' if step else 'training'} {run} on {describe(strategy)} from step {step} to {steps}")
    if config.model.w_hpf > 0 and face_network is None:
        say("note: without face masks (model.face_masks is false) the high-pass skip carries nothing over")

    # ------------------------------------------------------------------ input, iteration
    corrupt = CorruptRecords(config.input.max_corrupt_records)
    batches = batches_from(state, config, data, corrupt, strategy)
    iterate = compile_steps(strategy, state, config, face_network)

    # ------------------------------------------------------------------ what happens beside training
    measurements, stop, stopping = Measurements(config), StopSignals(), None
    hooks = open_hooks(config, data, run, state, face_network, checkpoints, measurements, stop, workers.is_chief)

    # ------------------------------------------------------------------ loop
    say("the first step compiles the graph, which takes a while", flush=True)
    with corrupt.user_errors(), stop, hooks:
        while step < steps and stopping is None:
            try:
                hooks.before_call(step + 1)
                count = schedule.steps_of_next_call(settings, step)
                with measurements.phase("step"):
                    measurements.add(step + 1, iterate(batches, count))
                step += count
                stopping = workers.stop_signal(stop.received)
                due = schedule.due(settings, step, stopping)
                hooks.after_call(due)
                if due.evaluating:  # takes long, and a signal may have cut it short
                    stopping = workers.stop_signal(stop.received)
            except NonFiniteError as error:
                step, stopping = roll_back(error, state, checkpoints, config, run, workers.is_chief), None
                batches = batches_from(state, config, data, corrupt, strategy)

    # ------------------------------------------------------------------ end
    workers.wait()  # for the chief to have written everything
    if stopping is not None and step < steps:
        say(f"stopped by {stopping.name} after step {step}, which is saved; the same command goes on from there")
        return SIGNAL_EXIT_CODE + stopping
    say(f"trained {steps} steps: samples in {run / 'samples'}, TensorBoard: tensorboard --logdir {run / LOGS}")
    return 0
