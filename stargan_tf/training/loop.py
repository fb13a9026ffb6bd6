"""The training program: train_and_evaluate(config, data, run)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from stargan_tf import config as configuration
from stargan_tf.config import Config, RunConfig, check_replicas, resolve
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.input_pipeline import training_dataset
from stargan_tf.data.records import DataDirectory, fingerprint
from stargan_tf.inference.translator import Translator
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs import face_network as face_networks
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoint_files import find_latest
from stargan_tf.runs.checkpoints import Checkpoints, check_trainable
from stargan_tf.runs.run_directory import FACE_NETWORK_FILE, LOGS
from stargan_tf.runs.state import TrainingState, create_state
from stargan_tf.training import evaluation_schedule, health, initialization
from stargan_tf.training.distribution import create_strategy, describe, distribute
from stargan_tf.training.evaluation_schedule import EvaluationSchedule
from stargan_tf.training.iteration import compile_steps
from stargan_tf.training.measurements import Measurements, NonFiniteError
from stargan_tf.training.profiling import Profiler
from stargan_tf.training.rollback import roll_back
from stargan_tf.training.stop_signals import StopSignals
from stargan_tf.training.summaries import Summaries
from stargan_tf.training.workers import Workers

# What the progress bar shows of the losses.
_SHOWN = {"g_latent/total": "G", "d_latent/total": "D", "g_latent/cyc": "cyc", "g_latent/sty": "sty"}

# A process that a signal has ended reports this plus the signal's number.
_SIGNAL_EXIT_CODE = 128

# Seeds are below this; a run that went back to a checkpoint sees the images of a seed that no other run has.
_SEEDS = 2**31


def train_and_evaluate(
    config: Config,
    data: DataDirectory,
    run: Path,
    face_network: Path | None = None,
    init_from: Path | None = None,
    read_face_network: Callable[[Path], dict[str, np.ndarray]] = face_networks.read,
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

    Returns:
        0 when all steps are done, 128 plus the signal's number after a stop by SIGINT or SIGTERM, which saves first.

    Raises:
        UserError: configuration, data and run directory do not go together, or the run directory cannot be written.
        NonFiniteError: a loss, gradient or weight is not finite; what was saved before stays.
        WorkerLostError: another worker does not answer.
    """
    config = resolve(config, data.domains, data.image_size)
    strategy = create_strategy(config.training.strategy, config.training.devices)
    check_replicas(config, strategy.num_replicas_in_sync)
    check_trainable(run)
    # The same command starts a run and goes on with it; then, what the run started from may be gone.
    if find_latest(run) is not None:
        init_from = None
    if init_from is not None:
        initialization.check(config, init_from)
        if face_network is None and config.model.needs_face_network and (init_from / FACE_NETWORK_FILE).is_file():
            face_network = init_from
    tensors = face_networks.choose(config, run, face_network, read_face_network)
    workers = Workers(strategy)
    if workers.is_chief:
        run_directory.open_for_training(run, config)
        if tensors is not None:
            face_networks.save(tensors, run)
    with workers.watched():
        workers.wait()
        if not workers.is_chief:
            configuration.check_same_run(run_directory.load_config(run), config, run)
        return _train(config, data, run, strategy, workers, init_from)


def _train(
    config: Config,
    data: DataDirectory,
    run: Path,
    strategy: tf.distribute.Strategy,
    workers: Workers,
    init_from: Path | None,
) -> int:
    settings, steps = config.training, config.training.steps
    say = print if workers.is_chief else _say_nothing

    # ------------------------------------------------------------------ state
    with strategy.scope():
        state = create_state(config)
        face_network = face_networks.load_for(config, run)
    checkpoints = Checkpoints(state, config, run, writes=workers.is_chief)
    step = checkpoints.restore_latest()
    workers.check_same_step(step)
    if init_from is not None:
        say(initialization.initialize(state, config, init_from))
    if init_from is not None or (settings.on_nonfinite == "rollback" and checkpoints.saved_step is None):
        checkpoints.save()  # so that a run killed before its first checkpoint begins with these weights again
    if step >= steps:
        if workers.is_chief and evaluation_schedule.is_pending(settings, run, step):
            _open_records(config, data, state, face_network, run, step)
        say(f"{run} is trained: {step} of {steps} steps; raise --training.steps to go on")
        return 0
    say(f"{'resuming' if step else 'training'} {run} on {describe(strategy)} from step {step} to {steps}")
    if config.model.w_hpf > 0 and face_network is None:
        say("note: without face masks (model.face_masks is false) the high-pass skip carries nothing over")

    # ------------------------------------------------------------------ input, step, records
    corrupt = CorruptRecords(config.input.max_corrupt_records)
    batches = _batches(config, data, corrupt, strategy, state)
    iterate = compile_steps(strategy, state, config, face_network)
    measurements = Measurements(config)
    summaries, evaluation = None, None
    if workers.is_chief:
        summaries, evaluation = _open_records(config, data, state, face_network, run, step)

    # ------------------------------------------------------------------ loop
    say("the first step compiles the graph, which takes a while", flush=True)
    with (
        corrupt.user_errors(),
        StopSignals() as stop,
        Profiler(settings.profile_steps if workers.is_chief else None, run / LOGS) as profiler,
        tqdm(total=steps, initial=step, unit="step", disable=None if summaries else True, dynamic_ncols=True) as bar,
    ):
        while True:
            count = steps_of_next_call(settings, step)
            profiler.before(step + 1)
            with measurements.phase("step"):
                measurements.add(step + 1, iterate(batches, count))
            step += count
            profiler.after(step)
            bar.update(count)
            stopping = workers.stop_signal(stop.received)
            last = step == steps or stopping is not None
            evaluating = stopping is None and evaluation_schedule.is_due(settings, step)
            saving = last or evaluating or step % settings.checkpoint_every == 0
            sampling = stopping is None and (last or step % settings.sample_every == 0)
            if not (saving or sampling or step % settings.log_every == 0):
                continue
            try:
                metrics = measurements.close()  # raises if a loss is not finite: such a state is never saved or drawn
                if saving:
                    health.check_finite(state, step)
            except NonFiniteError as error:
                step = roll_back(error, state, checkpoints, config, run, workers.is_chief)
                batches = _batches(config, data, corrupt, strategy, state)
                bar.n = step
                continue
            if summaries is not None:
                with measurements.phase("summaries"):
                    summaries.write_metrics(step, metrics | health.update_ratios(state) | health.memory())
                shown = {short: f"{metrics[name]:.3f}" for name, short in _SHOWN.items()}
                bar.set_postfix(shown | {"img/s": f"{metrics['speed/images_per_second']:.0f}"})
                if bar.disable:  # not a terminal: a line now and then instead of a bar
                    print(f"step {step} of {steps}:", " ".join(f"{k} {v}" for k, v in shown.items()), flush=True)
            if saving:
                with measurements.phase("checkpoint"):
                    checkpoints.save()
            if sampling and summaries is not None:
                with measurements.phase("summaries"):
                    summaries.write_samples(step)
            if evaluating:
                if evaluation is not None:
                    with measurements.phase("evaluation"):
                        evaluation.run(step, lambda: stop.received is not None)
                stopping = workers.stop_signal(stop.received)  # it may have come meanwhile, and this step is saved
                last = last or stopping is not None
            if last:
                break
    if summaries is not None:
        summaries.flush()
    workers.wait()  # for the chief to have written everything
    if stopping is not None and step < steps:
        say(f"stopped by {stopping.name} after step {step}, which is saved; the same command goes on from there")
        return _SIGNAL_EXIT_CODE + stopping
    say(f"trained {steps} steps: samples in {run / 'samples'}, TensorBoard: tensorboard --logdir {run / LOGS}")
    return 0


def steps_of_next_call(settings: RunConfig, step: int) -> int:
    """Returns how many steps follow `step` in one call, which ends where something is to be written or traced."""
    periods = (settings.log_every, settings.sample_every, settings.checkpoint_every, settings.eval_every)
    ends = [settings.steps, step + settings.steps_per_call]
    ends += [(step // every + 1) * every for every in periods if every > 0]
    if settings.profile_steps is not None:
        first, last = settings.profile_steps
        ends += [end for end in (first - 1, last) if end > step]
    return min(ends) - step


def _open_records(
    config: Config,
    data: DataDirectory,
    state: TrainingState,
    face_network: FaceNetwork | None,
    run: Path,
    step: int,
) -> tuple[Summaries, EvaluationSchedule | None]:
    """Opens what is written down of the run, and finishes an evaluation of this very step that was interrupted."""
    run_directory.cut_metrics(run, step)
    description = _describe_data(data, step)
    run_directory.record_data(run, description)
    translator = Translator(state.ema, config, config.input.batch_size, face_network, step)
    summaries = Summaries(config, data, translator, run)
    if config.training.eval_every == 0:
        return summaries, None
    evaluation = EvaluationSchedule(config, data, translator, summaries, run, description["fingerprint"])
    if evaluation_schedule.is_pending(config.training, run, step):
        evaluation.run(step)
    return summaries, evaluation


def _batches(
    config: Config,
    data: DataDirectory,
    corrupt: CorruptRecords,
    strategy: tf.distribute.Strategy,
    state: TrainingState,
) -> Iterator[dict[str, tf.Tensor]]:
    """Gives the distributed batches of the steps that follow `state.step`."""
    seed, step = config.training.seed + int(state.noise.numpy()) * _SEEDS, int(state.step.numpy())
    return iter(
        distribute(
            strategy,
            config.input.batch_size,
            lambda worker, count: training_dataset(data, config.input, seed, step, worker, count, corrupt),
        )
    )


def _describe_data(data: DataDirectory, step: int) -> dict:
    return {
        "step": step,
        "path": data.path,
        "fingerprint": fingerprint(data),
        "num_examples": dict(data.num_examples),
    }


def _say_nothing(*words, flush: bool = False) -> None:
    """What other workers than the chief print of the course of a run."""
