"""Faults in the losses are told, once in a run, and healthy runs are left alone."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from stargan_tf.config import LossConfig
from stargan_tf.data.records import open_data_directory
from stargan_tf.runs import run_directory
from stargan_tf.training.hooks import faults
from stargan_tf.training.hooks.faults import CYCLE_GROWS, STYLES_ALIKE, Faults, Watch
from stargan_tf.training.hooks.schedule import Due
from stargan_tf.training.loop import train_and_evaluate
from tests.fixtures import TINY, with_training

NAMES = ("g_latent/cyc", "g_latent/ds", "g_reference/ds")
# Of photographs of leaves, every 50 steps to 2,000: cycle error, diversity of drawn styles, of styles of references.
HEALTHY = np.array(
    [
        (0.341, 0.275, 0.143),
        (0.256, 0.143, 0.050),
        (0.260, 0.182, 0.065),
        (0.258, 0.177, 0.076),
        (0.245, 0.157, 0.078),
        (0.242, 0.151, 0.084),
        (0.239, 0.160, 0.090),
        (0.239, 0.157, 0.101),
        (0.236, 0.162, 0.118),
        (0.228, 0.156, 0.122),
        (0.229, 0.157, 0.128),
        (0.233, 0.165, 0.128),
        (0.224, 0.163, 0.134),
        (0.223, 0.162, 0.133),
        (0.217, 0.164, 0.144),
        (0.218, 0.173, 0.144),
        (0.219, 0.174, 0.149),
        (0.215, 0.163, 0.144),
        (0.215, 0.174, 0.150),
        (0.219, 0.175, 0.148),
        (0.217, 0.178, 0.152),
        (0.218, 0.177, 0.148),
        (0.207, 0.174, 0.147),
        (0.214, 0.162, 0.153),
        (0.204, 0.168, 0.153),
        (0.208, 0.166, 0.149),
        (0.206, 0.174, 0.153),
        (0.206, 0.176, 0.147),
        (0.203, 0.181, 0.145),
        (0.205, 0.190, 0.151),
        (0.206, 0.181, 0.151),
        (0.206, 0.180, 0.160),
        (0.199, 0.184, 0.159),
        (0.208, 0.176, 0.160),
        (0.202, 0.183, 0.163),
        (0.206, 0.180, 0.161),
        (0.202, 0.185, 0.158),
        (0.200, 0.181, 0.167),
        (0.195, 0.179, 0.159),
        (0.203, 0.184, 0.162),
    ]
)


def records(values, every: int = 50) -> list[dict]:
    """Returns the lines of metrics.jsonl that have these values, [records, 3]."""
    return [{"step": every * (n + 1), **dict(zip(NAMES, row, strict=True))} for n, row in enumerate(values.tolist())]


def going_on(values, factors: dict[str, float], count: int = 60):
    """Returns a run that goes on after `values` with some of them multiplied by a factor at each record."""
    noise = np.random.default_rng(0).normal(1, 0.05, (count, 3))
    rates = np.array([factors.get(name, 1.0) for name in NAMES])
    return np.concatenate([values, values[-10:].mean(0) * rates ** np.arange(1, count + 1)[:, None] * noise])


# A tenth less diversity, or 3 % more of the cycle error, every 50 steps.
DRAWN_ALIKE = going_on(HEALTHY, {"g_latent/ds": 0.9})
REFERENCES_ALIKE = going_on(HEALTHY, {"g_reference/ds": 0.9})
GROWING = going_on(HEALTHY, {"g_latent/cyc": 1.03})


def seen(entries: list[dict], losses: LossConfig) -> set[str]:
    """Returns the faults that are seen after any of the records."""
    watch, names = Watch(losses), set()
    for entry in entries:
        watch.add(entry["step"], entry)
        names |= {name for name, _ in watch.faults()}
    return names


def test_nothing_is_said_of_a_healthy_run():
    assert seen(records(HEALTHY), LossConfig()) == set()
    assert seen(records(going_on(HEALTHY, {"g_latent/cyc": 0.98})), LossConfig()) == set()


def test_nothing_is_said_of_a_run_with_a_record_for_every_step_of_a_small_batch():
    noise = np.random.default_rng(0).gamma(10, 0.1, (50 * len(HEALTHY), 3))
    assert seen(records(np.repeat(HEALTHY, 50, 0) * noise, every=1), LossConfig()) == set()


def test_a_beginning_in_which_styles_hardly_differ_is_none():
    beginning = np.repeat([[0.1, 0.005, 0.002]], 16, 0)  # also with the lowest cycle error
    assert seen(records(np.concatenate([beginning, HEALTHY[4:]])), LossConfig()) == set()


@pytest.mark.parametrize(
    ("values", "expected"), [(DRAWN_ALIKE, STYLES_ALIKE), (REFERENCES_ALIKE, STYLES_ALIKE), (GROWING, CYCLE_GROWS)]
)
@pytest.mark.parametrize("every", [50, 500])
def test_faults_are_seen(values, expected, every):
    means = values[: len(values) // (every // 50) * (every // 50)].reshape(-1, every // 50, 3).mean(1)
    assert seen(records(means, every), LossConfig()) == {expected}


def test_what_has_no_weight_may_do_what_it_likes():
    assert seen(records(DRAWN_ALIKE), LossConfig(lambda_ds=0.0)) == set()
    assert seen(records(GROWING), LossConfig(lambda_cyc=0.0)) == set()


class Told:
    """The hook of a run, with what it shows on TensorBoard."""

    def __init__(self, run):
        self.notes: list[tuple[str, str]] = []
        self._recording, self._run = SimpleNamespace(metrics={}), run
        summaries = SimpleNamespace(show_note=lambda *note: self.notes.append(note))
        self.hook = Faults(LossConfig(), run, self._recording, summaries)

    def train(self, entries: list[dict]) -> None:
        for entry in entries:
            self.hook.before_call(entry["step"])
            self._recording.metrics = {name: entry[name] for name in NAMES}
            run_directory.append_metrics(self._run, entry)  # as Recording does
            self.hook.after_call(Due(entry["step"], True, False, False, False))


@pytest.fixture
def events(tmp_path):
    return lambda: [(entry["event"], entry["step"]) for entry in run_directory.recorded_events(tmp_path)]


@pytest.mark.parametrize(("values", "fault"), [(DRAWN_ALIKE, STYLES_ALIKE), (GROWING, CYCLE_GROWS)])
def test_a_fault_is_told_once_with_where_to_read_on(values, fault, tmp_path, events, capsys):
    told = Told(tmp_path)
    told.train(records(values))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"note: {fault}: ") and lines[0].endswith(f"{faults.GUIDE[fault]} says what helps")
    ((title, text),) = told.notes
    assert title == fault and faults.GUIDE[fault] in text
    ((event, step),) = events()
    assert event == fault and step > 50 * len(HEALTHY)


def test_a_run_that_goes_on_knows_what_it_knew(tmp_path, events):
    entries = records(GROWING)
    Told(tmp_path).train(entries)
    ((_, step),) = events()

    run_directory.cut_metrics(tmp_path, step - 100)  # its last checkpoint
    Told(tmp_path).train([entry for entry in entries if entry["step"] > step - 100])
    assert events() == [(CYCLE_GROWS, step)]  # not told again

    (tmp_path / run_directory.EVENTS_FILE).unlink()
    run_directory.cut_metrics(tmp_path, step - 100)
    run_directory.append_metrics(tmp_path, {"step": step - 100, "evaluation/fid/net/2x10": 20.0})
    Told(tmp_path).train([entry for entry in entries if entry["step"] > step - 100])
    assert events() == [(CYCLE_GROWS, step)]  # at the same step as without the interruption


def test_after_a_roll_back_the_records_that_were_cut_off_do_not_count(tmp_path, events):
    healthy, growing = records(going_on(HEALTHY, {})), records(GROWING)
    told, last = Told(tmp_path), 50 * len(HEALTHY)
    told.train([entry for entry in growing if entry["step"] <= last + 350])
    assert events() == []
    run_directory.cut_metrics(tmp_path, last)
    told.train([entry for entry in healthy if entry["step"] > last])
    assert events() == []
    assert len(run_directory.recorded_metrics(tmp_path)) == len(healthy)


def test_after_a_change_of_settings_it_begins_anew(tmp_path, events):
    Told(tmp_path).train(records(GROWING))
    ((_, step),) = events()
    end = 50 * len(GROWING)
    run_directory.record_event(tmp_path, {"event": "other setting", "setting": "losses.lambda_cyc", "step": end})
    level = np.repeat(2 * HEALTHY[-1:], 40, 0)  # far above the lowest of the part before
    after = [entry | {"step": entry["step"] + end} for entry in records(going_on(level, {"g_latent/cyc": 1.03}))]
    Told(tmp_path).train(after[:40])
    assert events() == [(CYCLE_GROWS, step), ("other setting", end)]
    Told(tmp_path).train(after[40:])
    assert [event for event, _ in events()] == [CYCLE_GROWS, "other setting", CYCLE_GROWS]


@pytest.mark.slow
def test_training_tells_a_fault(trained_run, data_path, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(faults, "_WARM_UP", 2)
    monkeypatch.setattr(faults, "_LEAST_DIVERSITY", 100.0)
    run = shutil.copytree(trained_run, tmp_path / "run")
    assert train_and_evaluate(with_training(TINY, steps=4), open_data_directory(data_path), run) == 0
    assert capsys.readouterr().out.count(f"note: {STYLES_ALIKE}: translations in two drawn styles differ by ") == 1
    (event,) = (json.loads(line) for line in (run / "events.jsonl").read_text().splitlines())
    assert (event["event"], event["step"], event["guide"]) == (STYLES_ALIKE, 3, faults.GUIDE[STYLES_ALIKE])
    shown = EventAccumulator(str(run / "logs"), size_guidance={"tensors": 0})
    shown.Reload()
    (text,) = shown.Tensors(STYLES_ALIKE)
    assert faults.GUIDE[STYLES_ALIKE].encode() in text.tensor_proto.string_val[0]
    assert text.step == 0  # a roll-back leaves it
