import json
import shutil
from dataclasses import replace

import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from data_prep import images_to_tfrecords
from stargan_tf import config as configuration
from stargan_tf.base.errors import UserError
from stargan_tf.config import RunConfig
from stargan_tf.data.records import DataDirectory, open_data_directory
from stargan_tf.training import loop
from stargan_tf.training.hooks import schedule
from stargan_tf.training.hooks.measurements import NonFiniteError
from stargan_tf.training.loop import train_and_evaluate
from stargan_tf.training.summaries import tags
from tests.fixtures import TINY, with_training

pytestmark = pytest.mark.slow


def steps_written(run) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def values(events, name) -> list[float]:
    """Returns the values of a curve by the name that its metric has in the code."""
    return [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tags.tag_of(name).name)]


def steps_shown(run) -> list[int]:
    """Returns the steps of a curve as they lie in TensorBoard's files."""
    events = EventAccumulator(str(run / "logs"), size_guidance={"tensors": 0}, purge_orphaned_data=False)
    events.Reload()
    return [event.step for event in events.Tensors(tags.tag_of("g_latent/total").name)]


def checkpoint_of(run) -> str | None:
    return tf.train.latest_checkpoint(str(run / "checkpoints"))


def test_a_run_directory_holds_everything(trained_run):
    assert steps_written(trained_run) == [1, 2]
    assert checkpoint_of(trained_run).endswith("step-2")
    saved = configuration.load(trained_run / "config.yaml")
    assert saved.domains == ("circle", "square", "triangle")
    assert saved.model == replace(TINY.model, image_size=16, num_domains=3)
    for name in ("latent_guided", "reference_guided"):
        with Image.open(trained_run / "samples" / f"{name}_0000002.png") as picture:
            assert min(picture.size) > 500


def test_tensorboard_shows_losses_logits_norms_rates_speed_and_samples(trained_run):
    events = EventAccumulator(str(trained_run / "logs"), size_guidance={"tensors": 0})
    events.Reload()
    shown = set(events.Tags()["tensors"])
    names = {f"d_latent/{term}" for term in ("total", "real", "fake", "reg", "logit_real", "logit_fake")}
    names |= {f"g_reference/{term}" for term in ("total", "adv", "sty", "ds", "cyc", "grad_norm_generator")}
    names |= {"lambda_ds", "learning_rate/networks", "speed/images_per_second", "memory/host_gb"}
    names |= {f"time/{phase}" for phase in ("data_wait", "step", "summaries", "checkpoint")}
    networks = ("generator", "mapping_network", "style_encoder", "discriminator")
    names |= {f"update_ratio/{network}" for network in networks}
    entry = json.loads((trained_run / "metrics.jsonl").read_text().splitlines()[0])
    assert names < entry.keys()  # names that other programs read
    names |= {tags.NOT_FINITE, tags.DATA_WAIT_SHARE}
    assert {tags.tag_of(name).name for name in names | entry.keys() - {"step"}} <= shown
    assert {tags.LATENT_GUIDED, tags.REFERENCE_GUIDED, tags.LATENT_GRID, tags.REFERENCE_GRID} <= shown
    total = tags.tag_of("g_latent/total")
    assert [event.step for event in events.Tensors(total.name)] == [1, 2]
    assert values(events, tags.NOT_FINITE) == [0, 0]
    assert events.SummaryMetadata(total.name).summary_description == total.description
    (text,) = events.Tensors("configuration")
    assert b"    num_domains: 3" in text.tensor_proto.string_val[0]
    start = plugin_data_pb2.HParamsPluginData.FromString(
        events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    )
    assert start.session_start_info.hparams["model.latent_dim"].number_value == 4


def test_curves_do_not_double_back_after_a_resume(trained_run, data_path, tmp_path):
    """What was recorded after the checkpoint that a run goes on from is cut, as from metrics.jsonl."""
    run = shutil.copytree(trained_run, tmp_path / "run")
    for path in (run / "checkpoints").glob("step-2.*"):
        path.unlink()  # a kill came before it was saved
    assert train_and_evaluate(TINY, open_data_directory(data_path), run) == 0
    assert steps_written(run) == steps_shown(run) == [1, 2]


def test_a_finished_run_is_left_alone_and_a_longer_one_goes_on(trained_run, data_path, tmp_path, capsys):
    run = shutil.copytree(trained_run, tmp_path / "run")
    data = open_data_directory(data_path)
    assert train_and_evaluate(TINY, data, run) == 0
    assert "is trained: 2 of 2 steps" in capsys.readouterr().out
    assert steps_written(run) == [1, 2]

    assert train_and_evaluate(with_training(TINY, steps=3), data, run) == 0
    assert "from step 2 to 3" in capsys.readouterr().out
    assert steps_written(run) == [1, 2, 3]
    assert checkpoint_of(run).endswith("step-3")


def test_another_configuration_is_refused_and_nothing_changes(trained_run, data_path):
    before = (trained_run / "config.yaml").read_bytes()
    other = replace(TINY, losses=replace(TINY.losses, lambda_cyc=2.0))
    with pytest.raises(UserError, match=r"losses\.lambda_cyc is 1\.0 there and 2\.0 now"):
        train_and_evaluate(other, open_data_directory(data_path), trained_run)
    assert (trained_run / "config.yaml").read_bytes() == before


def test_a_directory_of_something_else_is_refused(data_path, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="not a run directory"):
        train_and_evaluate(TINY, open_data_directory(data_path), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_batch_that_cannot_be_split_over_the_devices_is_refused(data_path, tmp_path):
    odd = with_training(replace(TINY, input=replace(TINY.input, batch_size=3)), devices=2)
    with pytest.raises(UserError, match="a batch of 3 cannot be split evenly over 2 devices"):
        train_and_evaluate(odd, open_data_directory(data_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_over_two_devices_with_a_trace_for_the_profiler(data_path, tmp_path, capsys):
    both = with_training(
        TINY, steps=4, steps_per_call=2, devices=None, log_every=4, checkpoint_every=4, profile_steps=(3, 4)
    )
    assert train_and_evaluate(both, open_data_directory(data_path), tmp_path / "run") == 0
    assert "on 2 CPUs from step 0 to 4" in capsys.readouterr().out
    assert checkpoint_of(tmp_path / "run").endswith("step-4")
    (trace,) = (tmp_path / "run" / "logs" / "plugins" / "profile").glob("*/*.xplane.pb")
    assert b"StatelessRandomNormal" in trace.read_bytes()  # an operation of the step


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [4, 5, 9, 10, 14, 15, 18, 20, 23]),
        ({"profile_steps": (7, 12)}, [4, 5, 6, 9, 10, 12, 15, 18, 20, 23]),
        ({"steps_per_call": 1}, list(range(1, 24))),
    ],
)
def test_a_call_ends_where_something_is_written_or_traced(changes, expected):
    settings = RunConfig(steps=23, steps_per_call=4, log_every=5, sample_every=9, checkpoint_every=18)
    settings, ends = replace(settings, **changes), [0]
    while ends[-1] < 23:
        ends.append(ends[-1] + schedule.steps_of_next_call(settings, ends[-1]))
    assert ends[1:] == expected


def test_a_run_goes_on_with_other_settings_if_asked(trained_run, data_path, tmp_path, capsys):
    """As the advice says that a loss which is not finite ends with."""
    run, data = shutil.copytree(trained_run, tmp_path / "run"), open_data_directory(data_path)
    lower = replace(TINY.optimizers, learning_rate=1e-5, mapping_learning_rate=1e-7)
    longer = replace(with_training(TINY, steps=4), optimizers=lower, input=replace(TINY.input, batch_size=4))
    with pytest.raises(UserError, match="or give --allow_changes to go on with the new ones"):
        train_and_evaluate(longer, data, run)
    assert train_and_evaluate(longer, data, run, allow_changes=True) == 0
    assert "optimizers.learning_rate is 1e-05 from step 2 on; it was 0.0001\n" in capsys.readouterr().out
    assert train_and_evaluate(with_training(longer, steps=5), data, run) == 0  # not asked for any more
    state = tf.train.load_checkpoint(checkpoint_of(run))
    rates = {
        name: state.get_tensor(f"optimizers/{name}/_learning_rate/.ATTRIBUTES/VARIABLE_VALUE")
        for name in ("generator", "mapping_network")
    }
    assert rates == pytest.approx({"generator": 1e-5, "mapping_network": 1e-7})
    rates = [json.loads(line)["learning_rate/networks"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rates == [1e-4, 1e-4, 1e-5, 1e-5, 1e-5]


def prepare_less(images_path, directory, missing) -> DataDirectory:
    """The data directory of `images_path` without a file or a folder."""
    images = shutil.copytree(images_path, directory / "images")
    shutil.rmtree(images / missing) if (images / missing).is_dir() else (images / missing).unlink()
    settings = {"image_size": 16, "encoding": "png"}
    images_to_tfrecords.run(
        images_to_tfrecords.Arguments(input=str(images), output=str(directory / "data"), **settings)
    )
    return open_data_directory(str(directory / "data"))


def test_other_data_of_the_same_names_are_told(trained_run, images_path, tmp_path, capsys):
    run = shutil.copytree(trained_run, tmp_path / "run")
    data = prepare_less(images_path, tmp_path, "train/circle/00000.png")
    assert train_and_evaluate(with_training(TINY, steps=3), data, run) == 0
    assert f"note: from step 2 on the run is trained on other data, {tmp_path / 'data'} (" in capsys.readouterr().out


def test_data_that_cannot_be_evaluated_on_are_refused_before_anything_is_done(images_path, tmp_path):
    data = prepare_less(images_path, tmp_path, "val/square")
    with pytest.raises(UserError, match=r"'square' of .* has 0 validation image\(s\); an evaluation needs at least 1"):
        train_and_evaluate(with_training(TINY, eval_every=1), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_is_not_saved(data_path, tmp_path):
    # Steps so large that the second one starts from weights beyond float32's range.
    exploding = replace(TINY, optimizers=replace(TINY.optimizers, learning_rate=1e30))
    exploding = with_training(exploding, steps=4, steps_per_call=4, log_every=4, sample_every=100, checkpoint_every=100)
    sentence = r"at step \d, among steps 1 to 4; nothing of these steps is saved .* \(with --allow_changes, to go on"
    with pytest.raises(NonFiniteError, match=sentence):
        train_and_evaluate(exploding, open_data_directory(data_path), tmp_path / "run")
    assert checkpoint_of(tmp_path / "run") is None


@pytest.fixture
def spoil(monkeypatch):
    """Lets a weight become NaN once so many iterations have been computed in this process; 0 lets it."""
    after = []

    def compile_steps(strategy, state, *rest):
        iterate = loop_compile_steps(strategy, state, *rest)
        done = 0

        def spoilt(batches, count):
            nonlocal done
            done += count
            if done in after:
                weight = state.networks.generator.trainable_variables[0]
                weight.assign(weight * float("nan"))
            return iterate(batches, count)

        return spoilt

    loop_compile_steps = loop.compile_steps
    monkeypatch.setattr(loop, "compile_steps", compile_steps)
    return after.extend


def test_a_run_goes_back_with_fresh_noise_but_not_for_ever(spoil, data_path, tmp_path, capsys):
    run = tmp_path / "run"
    config = with_training(
        TINY, steps=6, log_every=1, sample_every=100, checkpoint_every=2, on_nonfinite="rollback", max_rollbacks=1
    )
    spoil([4, 8])  # at step 4, then, after going back to 2, at step 6
    with pytest.raises(NonFiniteError, match=r"at step 6, .* after 1 rollback\(s\), of which --training.max_rollbacks"):
        train_and_evaluate(config, open_data_directory(data_path), run)
    assert "back to step 2 with fresh noise, rollback 1 of 1" in capsys.readouterr().out
    (event,) = (json.loads(line) for line in (run / "events.jsonl").read_text().splitlines())
    assert (event["event"], event["step"], event["restored"], event["number"]) == ("rollback", 4, 2, 1)
    assert "is nan at step 4, among steps 4 to 4" in event["reason"]
    assert steps_written(run) == steps_shown(run) == [1, 2, 3, 4, 5]  # step 3 once
    events = EventAccumulator(str(run / "logs"), size_guidance={"tensors": 0})
    events.Reload()
    assert values(events, tags.NOT_FINITE) == [0, 0, 1, 1, 1, 2]
    assert checkpoint_of(run).endswith("step-4")
    record = tf.train.load_checkpoint(checkpoint_of(run)).get_tensor("record/.ATTRIBUTES/py_state")
    assert json.loads(record)["noise"] == 1  # so that a resumed run draws the same, and counts on
