"""A run evaluated while it trains: nothing else changes, the best is kept, what a kill cut short is finished."""

import json
import re
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import RunConfig
from stargan_tf.data.records import fingerprint, open_data_directory
from stargan_tf.inference.translator import Translator
from stargan_tf.runs import best_checkpoint, run_directory
from stargan_tf.runs.checkpoint_files import find_latest, path_of, saved_steps
from stargan_tf.training.hooks import evaluation, schedule
from stargan_tf.training.hooks.evaluation import Evaluation
from stargan_tf.training.hooks.measurements import Measurements
from stargan_tf.training.hooks.summaries import Summaries
from stargan_tf.training.loop import train_and_evaluate
from tests.evaluation.measures import write_onnx
from tests.fixtures import TINY, with_training

pytestmark = pytest.mark.slow

# Every step, of which only the newest is kept besides the best.
EVALUATED = with_training(
    TINY, steps=2, checkpoint_every=100, keep_checkpoints=1, eval_every=1, eval_sources=2, eval_metric="lpips"
)


def lines_of(run) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def evaluations(run) -> dict[int, float]:
    """Returns the values by which the best is chosen, by step."""
    return {
        line["step"]: value
        for line in lines_of(run)
        for name, value in line.items()
        if re.fullmatch(r"evaluation/lpips/layers\.onnx_[0-9a-f]{12}/2x10", name)
    }


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where the cache and the networks to measure with are."""
    path = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARGAN_TF_CACHE", str(path / "cache"))
        yield path


@pytest.fixture(scope="module")
def config(directory):
    extractor, distance = write_onnx(directory)
    return with_training(EVALUATED, eval_extractor=extractor, eval_distance=distance)


@pytest.fixture(scope="module")
def evaluated_run(config, data_path, directory):
    assert train_and_evaluate(config, open_data_directory(data_path), directory / "run") == 0
    return directory / "run"


def test_when_it_is_due():
    def due(step, **settings):
        return schedule.is_evaluated(RunConfig(steps=10, **settings), step)

    assert [step for step in range(11) if due(step, eval_every=4)] == [4, 8, 10]
    assert not any(due(step) for step in range(11))


def test_training_does_not_notice(evaluated_run, trained_run):
    one, other = (tf.train.load_checkpoint(str(path_of(run, 2))) for run in (evaluated_run, trained_run))
    names = [name for name in one.get_variable_to_shape_map() if name.startswith(("networks", "ema", "optimizers"))]
    assert len(names) > 100
    for name in names:
        np.testing.assert_array_equal(one.get_tensor(name), other.get_tensor(name), err_msg=name)


def test_results_are_written_everywhere(evaluated_run):
    assert set(evaluations(evaluated_run)) == {1, 2}
    for step in (1, 2):
        (path,) = (evaluated_run / "evaluation" / f"step_{step}").iterdir()
        result = json.loads(path.read_text())
        assert result["step"] == step
        mean = np.mean([result[mode]["mean"]["lpips"] for mode in ("latent", "reference")])
        assert evaluations(evaluated_run)[step] == pytest.approx(mean)
    assert not (evaluated_run / "evaluation" / "work").exists()
    tag = f"evaluation/reference/fid/features.onnx_{result['extractor']['hash']}/2x10".encode()
    assert any(tag in path.read_bytes() for path in (evaluated_run / "logs").iterdir() if path.is_file())


def test_the_best_is_kept_and_can_be_used(evaluated_run):
    values = evaluations(evaluated_run)
    best = best_checkpoint.read(evaluated_run)
    assert (best.step, best.value) == max(values.items(), key=lambda item: item[1])
    assert saved_steps(evaluated_run) == [2]
    assert Translator.from_run(evaluated_run, checkpoint="best").step == best.step
    assert Translator.from_run(evaluated_run).step == 2


def test_what_a_kill_cut_short_is_finished(evaluated_run, config, data_path, tmp_path):
    run = shutil.copytree(evaluated_run, tmp_path / "run")
    (written,) = (run / "evaluation" / "step_2").iterdir()
    before = written.read_bytes()
    written.unlink()
    kept = [line for line in lines_of(run) if not (line["step"] == 2 and "lpips" in str(line))]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    assert train_and_evaluate(config, open_data_directory(data_path), run) == 0
    assert written.read_bytes() == before
    assert lines_of(run) == lines_of(evaluated_run)
    # And only then.
    written.unlink()
    assert train_and_evaluate(config, open_data_directory(data_path), run) == 0
    assert not written.exists()
    assert find_latest(run) == path_of(run, 2)


def test_part_of_a_line_is_no_evaluation(tmp_path):
    settings = RunConfig(steps=2, eval_every=1, eval_metric="fid")
    whole = '{"step": 1, "evaluation/fid/x": 3.5}\n'
    (tmp_path / "metrics.jsonl").write_text(whole + '{"step": 2, "evaluation/fid/x": 2.')
    assert not evaluation.is_pending(settings, tmp_path, 1)
    assert evaluation.is_pending(settings, tmp_path, 2)


class StopsLater:
    """A signal that is there when it is asked for the n-th time."""

    def __init__(self, n: int):
        self.asked, self.n = 0, n

    @property
    def received(self) -> signal.Signals | None:
        self.asked += 1
        return signal.SIGTERM if self.asked >= self.n else None


def test_a_stop_cuts_an_evaluation_short_and_the_next_run_finishes_it(evaluated_run, data_path, tmp_path):
    run = shutil.copytree(evaluated_run, tmp_path / "run")
    shutil.rmtree(run / "evaluation")
    (run / "metrics.jsonl").write_text("")
    config, data = run_directory.load_config(run), open_data_directory(data_path)
    translator = Translator.from_run(run, config.input.batch_size)
    summaries = Summaries(config, data, translator, run)
    stop = StopsLater(3)
    hook = Evaluation(config, data, translator, summaries, Measurements(config), run, fingerprint(data), stop)
    hook.after_call(schedule.due(config.training, 2))
    assert evaluation.is_pending(config.training, run, 2)
    assert not (run / "evaluation" / "step_2").exists() and lines_of(run) == []
    stop.asked = -100
    hook.after_call(schedule.due(config.training, 2))
    assert not evaluation.is_pending(config.training, run, 2)
    assert evaluations(run)[2] == evaluations(evaluated_run)[2]
