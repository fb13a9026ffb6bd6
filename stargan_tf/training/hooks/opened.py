"""The hooks of a run, opened."""

from pathlib import Path

from stargan_tf.config import Config
from stargan_tf.data.records import DataDirectory, fingerprint
from stargan_tf.inference.translator import Translator
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs import event_files, run_directory
from stargan_tf.runs.checkpoints import Checkpoints
from stargan_tf.runs.run_directory import LOGS, writing
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.hooks import evaluation
from stargan_tf.training.hooks.evaluation import Evaluation
from stargan_tf.training.hooks.faults import Faults
from stargan_tf.training.hooks.hook import Hook, Hooks
from stargan_tf.training.hooks.measurements import Measurements
from stargan_tf.training.hooks.profiling import Profiler
from stargan_tf.training.hooks.progress_bar import ProgressBar
from stargan_tf.training.hooks.recording import Recording, Sampling, Saving, Uploading
from stargan_tf.training.hooks.stop_signals import StopSignals
from stargan_tf.training.hooks.summaries import Summaries


def open_hooks(
    config: Config,
    data: DataDirectory,
    run: Path,
    state: TrainingState,
    face_network: FaceNetwork | None,
    checkpoints: Checkpoints,
    measurements: Measurements,
    stop: StopSignals,
    writes: bool = True,
) -> Hooks:
    """Opens what happens beside training, in the order in which it happens after a step.

    Measurements after the step of `state` are cut off, and an evaluation of this very step that was
    interrupted is finished.

    Args:
        config: resolved.
        data: the data directory.
        run: the run directory.
        state: restored.
        face_network: finds the masks of the high-pass skip.
        checkpoints: of the run.
        measurements: of the run.
        stop: signals that ask to stop, which cut an evaluation short.
        writes: whether this process writes; others only check that all is finite, to go back with it if it is not.

    Returns:
        The hooks.
    """
    settings, step = config.training, int(state.step.numpy())
    if not writes:
        return Hooks(Recording(state, settings, measurements, None))
    run_directory.cut_metrics(run, step)
    with writing(run):
        event_files.cut(run, step)
    data_hash = fingerprint(data)
    description = {"path": data.path, "fingerprint": data_hash, "num_examples": dict(data.num_examples)}
    if note := run_directory.record_data(run, {"step": step} | description):
        print(note, flush=True)
    translator = Translator(state.ema, config, config.input.batch_size, face_network, step)
    summaries = Summaries(config, data, translator, run)
    recording, uploading = Recording(state, settings, measurements, summaries), Uploading(run, measurements)
    hooks: list[Hook] = [
        recording,
        ProgressBar(settings.steps, step, recording),
        Faults(config.losses, run, recording, summaries),
        Saving(checkpoints, measurements),
        Sampling(summaries, measurements),
        uploading,
    ]
    if settings.profile_steps is not None:
        hooks.insert(0, Profiler(settings.profile_steps, run / LOGS))
    if settings.eval_every > 0:
        evaluator = Evaluation(config, data, translator, summaries, measurements, run, data_hash, stop)
        if evaluation.is_pending(settings, run, step):
            evaluator.evaluate(step)
        hooks += [evaluator, uploading]  # an evaluation takes long, and goes on from what was saved before
    return Hooks(*hooks)
