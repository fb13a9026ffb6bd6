import resource
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.config import RunConfig, preset, resolve
from stargan_tf.runs import run_directory
from tests.config.test_config import EARLIER, WRITTEN_NOW


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    path = tmp_path / run_directory.CONFIG_FILE
    path.write_text(EARLIER)
    config = resolve(preset("known_factors"), ("circle", "square"), (32, 32))
    longer = replace(config, training=replace(config.training, steps=9000))
    run_directory.open_for_training(tmp_path, longer)
    assert run_directory.load_config(tmp_path) == longer
    images = "  fit: crop\n  background:\n  - 255\n  - 255\n  - 255\n  value_range: full\n"
    recorded = WRITTEN_NOW.replace("  fit: null\n  background: null\n  value_range: null\n", images)
    assert path.read_text() == recorded.replace("steps: 7000", "steps: 9000")
    with pytest.raises(UserError, match=r"training\.seed is 0 there and 1 now"):
        run_directory.open_for_training(tmp_path, replace(config, training=RunConfig(seed=1)))


def test_settings_change_if_asked_and_that_is_noted(tmp_path):
    config = resolve(preset("known_factors"), ("circle", "square"), (32, 32))
    assert run_directory.open_for_training(tmp_path, config) == {}
    lower = replace(config, optimizers=replace(config.optimizers, learning_rate=1e-5, l2=0.0))
    with pytest.raises(UserError, match="--allow_changes"):
        run_directory.open_for_training(tmp_path, lower)
    assert run_directory.load_config(tmp_path) == config and run_directory.changed_settings(tmp_path) == set()
    changes = run_directory.open_for_training(tmp_path, lower, allow_changes=True, step=30)
    assert changes == {"optimizers.learning_rate": (5e-4, 1e-5), "optimizers.l2": (1e-4, 0.0)}
    assert run_directory.load_config(tmp_path) == lower
    events = [{key: entry[key] for key in entry.keys() - {"time"}} for entry in run_directory.recorded_events(tmp_path)]
    event = {"event": "other setting", "step": 30}
    assert events == [
        event | {"setting": "optimizers.learning_rate", "before": 5e-4, "now": 1e-5},
        event | {"setting": "optimizers.l2", "before": 1e-4, "now": 0.0},
    ]
    assert run_directory.changed_settings(tmp_path) == changes.keys()
    assert run_directory.open_for_training(tmp_path, lower) == {}  # no change any more


def test_data_is_noted_once_and_other_data_are_told(tmp_path):
    assert run_directory.recorded_data(tmp_path) == []
    first = {"step": 0, "path": "data/one", "fingerprint": "0123456789abcdef"}
    second = {"step": 5, "path": "data/two", "fingerprint": "fedcba9876543210"}
    assert run_directory.record_data(tmp_path, first) is None
    assert run_directory.record_data(tmp_path, first | {"step": 3}) is None
    assert run_directory.record_data(tmp_path, second) == (
        "note: from step 5 on the run is trained on other data, data/two (fingerprint fedcba987654); before, it was "
        "data/one (0123456789ab)"
    )
    assert run_directory.recorded_data(tmp_path) == [first, second]


def test_measurements_are_cut_back(tmp_path):
    run_directory.cut_metrics(tmp_path, 3)  # nothing to cut
    path = tmp_path / run_directory.METRICS_FILE
    lines = [f'{{"step": {step}, "loss": {step / 2}}}\n' for step in (1, 2, 3, 4)]
    path.write_text("".join(lines) + '{"step": 5, "lo')
    run_directory.cut_metrics(tmp_path, 3)
    assert path.read_text() == "".join(lines[:3])
    path.write_text("".join(lines[:2]) + '{"step": 3, "loss": 1.5}')  # torn just before its end
    run_directory.cut_metrics(tmp_path, 3)
    assert path.read_text() == "".join(lines[:2])


def test_an_occupied_path(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert not run_directory.is_occupied(tmp_path / "missing")
    assert not run_directory.is_occupied(tmp_path / "empty")
    assert run_directory.is_occupied(tmp_path / "file")
    assert run_directory.is_occupied(tmp_path)


def test_a_store_is_not_taken_for_a_local_folder():
    with pytest.raises(UserError, match=r"^gs://bucket/run is on a store; it must be a local path$"):
        run_directory.load_config(Path("gs://bucket/run"))


@pytest.mark.parametrize(
    "record", [run_directory.record_event, run_directory.append_metrics, run_directory.record_data]
)
def test_part_of_a_line_that_a_full_disk_left_is_replaced(record, tmp_path):
    record(tmp_path, {"step": 1, "path": "data", "fingerprint": "a"})
    (path,) = tmp_path.iterdir()
    whole = path.read_text()
    path.write_text(whole + '{"step": 2, "finger')
    record(tmp_path, {"step": 3, "path": "data", "fingerprint": "b"})
    assert path.read_text() == whole + '{"step": 3, "path": "data", "fingerprint": "b"}\n'


@pytest.mark.parametrize(
    ("file", "read"),
    [
        (run_directory.METRICS_FILE, run_directory.recorded_metrics),
        (run_directory.EVENTS_FILE, run_directory.recorded_events),
        (run_directory.DATA_FILE, run_directory.recorded_data),
    ],
)
@pytest.mark.parametrize(
    "torn", [b'{"step": 3, "lo', b'{"step": 3}', b'{"step": 2, "l{"step": 3}\n', b"\0\0\0", b"3\n"]
)
def test_what_is_no_whole_line_is_not_read(file, read, torn, tmp_path):
    assert read(tmp_path) == []
    (tmp_path / file).write_bytes(b'{"step": 1}\n{"step": 2}\n' + torn)
    assert read(tmp_path) == [{"step": 1}, {"step": 2}]


def test_measurements_without_a_step_are_cut_off(tmp_path):
    path = tmp_path / run_directory.METRICS_FILE
    path.write_text('{"step": 1}\n{"loss": 1}\n[2]\n{"step": "x"}\n')
    assert run_directory.recorded_metrics(tmp_path) == [{"step": 1}]
    run_directory.cut_metrics(tmp_path, 3)
    assert path.read_text() == '{"step": 1}\n'


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize(
    ("file", "record"),
    [
        (run_directory.METRICS_FILE, run_directory.append_metrics),
        (run_directory.EVENTS_FILE, run_directory.record_event),
        (run_directory.DATA_FILE, run_directory.record_data),
    ],
)
def test_a_full_disk_is_one_sentence(file, record, tmp_path):
    (tmp_path / file).symlink_to("/dev/full")
    with pytest.raises(
        UserError, match=r"cannot be written \(no space left on the device\); its checkpoints are as they"
    ):
        record(tmp_path, {"step": 1, "fingerprint": "a"})


def test_a_configuration_that_does_not_fit_on_the_disk_is_one_sentence(tmp_path):
    config = resolve(preset("known_factors"), ("circle", "square"), (32, 32))
    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[0][1]))
    try:
        with pytest.raises(UserError, match=r"config\.yaml' cannot be written: File too large"):
            run_directory.open_for_training(tmp_path / "run", config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert list((tmp_path / "run").iterdir()) == []
