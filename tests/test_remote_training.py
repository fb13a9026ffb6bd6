"""A run on a store, trained and used by the commands as a run on a disk is."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest

from benchmarks.kill_and_resume import compare
from stargan_tf import convert, evaluate, export, sample, train
from stargan_tf.base import files
from tests.data_prep.hub_server import serve
from tests.fixtures import TINY, flags
from tests.stores import KEY, SECRET, new_store, objects, upload
from tests.test_evaluate import QUICK

pytestmark = pytest.mark.slow

SETTINGS = [
    *flags(TINY),
    "--training.deterministic",
    "--training.steps=6",
    "--training.log_every=1",
    "--training.sample_every=3",
    "--training.checkpoint_every=1",
]


# Of a process in another working directory.
PACKAGES = str(Path(__file__).parent.parent)


def command(data, run) -> list[str]:
    return [sys.executable, "-m", "stargan_tf.train", "--data", str(data), "--run", str(run), *SETTINGS]


def kill_when(address: str, data, folder: Path, is_so) -> str:
    """Trains on an empty disk until the store is as it should be, then kills; returns what was printed."""
    folder.mkdir()
    process = subprocess.Popen(
        command(data, address),
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder), "PYTHONPATH": PACKAGES},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 200
    while not is_so(files.find(address)):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(process.communicate()[0])
    process.kill()
    return process.communicate()[0]


def newest(names) -> int:
    steps = [int(name.split("step-")[1].split(".")[0]) for name in names if "/step-" in name and ".index" in name]
    return max(steps, default=0)


def fetched(address: str, folder: Path) -> Path:
    for name in files.find(address):
        files.fetch(f"{address}/{name}", folder / name)
    return folder


@pytest.mark.long
def test_a_run_that_is_killed_twice_goes_on_on_an_empty_disk(data_path, tmp_path, request):
    """Bit for bit as on a disk; and nothing that is written or told has the credentials."""
    address = f"{new_store('s3', request)}/runs/pets"
    told = kill_when(address, data_path, tmp_path / "first", lambda names: newest(names) >= 2)
    # In the middle of what a checkpoint is: after its data, if the index is not sooner there.
    saved = newest(files.find(address))
    told += kill_when(
        address, data_path, tmp_path / "second", lambda names: any(f"step-{saved + 2}.data" in name for name in names)
    )
    (tmp_path / "last").mkdir()
    last = subprocess.run(
        command(data_path, address),
        cwd=tmp_path / "last",
        env=os.environ | {"TMPDIR": str(tmp_path / "last"), "PYTHONPATH": PACKAGES},
        capture_output=True,
        text=True,
    )
    assert last.returncode == 0, last.stderr
    assert f"resuming {address} on" in last.stdout and f"samples in {address}/samples" in last.stdout
    assert not list((tmp_path / "last").iterdir())

    undisturbed = tmp_path / "undisturbed"
    assert subprocess.run(command(data_path, undisturbed), capture_output=True).returncode == 0
    run = fetched(address, tmp_path / "run")
    assert compare(undisturbed, run) == []
    names = [{path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} for folder in (undisturbed, run)]
    assert {name for name in names[0] if not name.startswith("logs/")} == {
        name for name in names[1] if not name.startswith("logs/")
    }
    for name in ("samples/latent_guided_0000006.png", "samples/latent_guided_0000003.png"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes()
    everything = b"".join(objects(address.rpartition("/")[0]).values()) + (told + last.stdout + last.stderr).encode()
    assert KEY.encode() not in everything and SECRET.encode() not in everything


def test_tensorboard_reads_it_where_it_is(trained_run, request):
    """In an environment with s3fs alone, as the guide says; TensorFlow has file systems of its own, without S3."""
    address = f"{new_store('s3', request)}/run"
    upload(trained_run, address)
    program = """
import sys, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")
sys.modules["boto3"] = sys.modules["tensorflow"] = None
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
multiplexer = EventMultiplexer().AddRunsFromDirectory(sys.argv[1]).Reload()
print({run: len(tags["tensors"]) for run, tags in multiplexer.Runs().items()})
"""
    found = subprocess.run([sys.executable, "-c", program, f"{address}/logs"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "{'.': 0}" not in found.stdout and "'.': " in found.stdout


@pytest.fixture(scope="module")
def address(trained_run, request):
    """A run on a store."""
    address = f"{new_store('memory', request)}/run"
    upload(trained_run, address)
    return address


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_sampled_exported_and_converted_as_on_a_disk(address, trained_run, images_path, folder, capsys):
    source = str(images_path / "val" / "circle")
    for name, run in (("disk", str(trained_run)), ("store", address)):
        assert sample.main(["--run", run, "--source", source, "--output", f"samples_{name}"]) == 0
        assert convert.main(["--run", run, "--pack", f"{name}.npz"]) == 0
        quick = ["--batch_sizes", "1", "--max_rows", "2", "--max_pixels", "100000"]
        assert export.main(["--run", run, "--output", f"models/{name}", *quick]) == 0
        capsys.readouterr()
    of_disk, of_store = (
        {path.relative_to(folder / top): path.read_bytes() for path in (folder / top).rglob("*.png")}
        for top in ("samples_disk", "samples_store")
    )
    assert of_disk == of_store != {}
    assert (folder / "disk.npz").read_bytes() == (folder / "store.npz").read_bytes()
    cards = [json.loads((folder / "models" / name / "1" / "model_card.json").read_text()) for name in ("disk", "store")]
    assert cards[0]["step"] == cards[1]["step"] == 2
    assert {path.name for path in folder.iterdir()} == {
        "samples_disk", "samples_store", "disk.npz", "store.npz", "models",
    }  # fmt: skip


def test_a_packed_run_is_read_from_a_store(trained_run, images_path, folder, request, monkeypatch):
    monkeypatch.setenv("STARGAN_TF_CACHE", str(folder / "cache"))
    store = new_store("memory", request)
    assert convert.main(["--run", str(trained_run), "--pack", "shapes.npz"]) == 0
    files.write(f"{store}/shapes.npz", (folder / "shapes.npz").read_bytes())
    source = str(images_path / "val" / "circle")
    assert sample.main(["--run", f"{store}/shapes.npz", "--source", source, "--output", "samples"]) == 0


def test_a_run_is_read_from_the_hub(trained_run):
    """In a process of its own, since the address is read when the Hub's library is imported."""
    pytest.importorskip("huggingface_hub", reason="huggingface_hub not installed; pip install '.[hub]' does that")
    program = """
import sys
from pathlib import Path
from stargan_tf.runs import named_runs
found = named_runs.find("hf://datasets/me/run")
for path in sorted(path for path in found.rglob("*") if path.is_file()):
    name = path.relative_to(found)
    assert path.read_bytes() == (Path(sys.argv[1]) / name).read_bytes()
    print(name)
"""
    with serve(trained_run, "me/run") as (address, _):
        environment = {"HF_ENDPOINT": address, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
        command = [sys.executable, "-c", program, str(trained_run)]
        found = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    names = found.stdout.split()
    assert "config.yaml" in names and "checkpoints/step-2.index" in names
    assert not [name for name in names if "step-1" in name or name.startswith("logs")]


def test_what_is_measured_goes_back_to_it(trained_run, data_path, folder, capsys, request):
    address = f"{new_store('memory', request)}/run"
    upload(trained_run, address)
    before = objects(address)
    measured = ["--mode", "known_factors", "--sources", "2", "--styles", "2", *QUICK]
    assert evaluate.main(["--run", address, "--data", str(data_path), *measured]) == 0
    after = objects(address)
    assert before.items() < after.items() and after.keys() - before.keys() == {"known_factors.json"}
    assert json.loads(after["known_factors.json"])["step"] == 2


def test_another_run_starts_from_it(address, data_path, folder, capsys, request):
    new = f"{new_store('memory', request)}/new"
    arguments = ["--data", str(data_path), "--run", new, "--init_from", address, "--training.steps", "1"]
    assert train.main([*arguments, "--training.devices=1"]) == 0
    out = capsys.readouterr().out
    assert f"starting from the weights of {address} after 2 steps" in out
    assert "checkpoints/step-1.index" in files.find(new) and not list(folder.iterdir())


@pytest.mark.parametrize(
    ("program", "arguments", "sentence"),
    [
        (sample, ["--run", "RUN/none", "--source", "s", "--output", "o"], "'RUN/none' is not a run directory: it has"),
        (sample, ["--run", "RUN", "--source", "s", "--output", "o", "--checkpoint", "best"], "'RUN' has no best check"),
        (export, ["--run", "RUN/none", "--output", "o"], "'RUN/none' is not a run directory"),
        (convert, ["--run", "RUN/none", "--pack", "p.npz"], "'RUN/none' is not a run directory"),
        (convert, ["--run", "RUN", "--checkpoint", "x.ckpt"], "is on a store; it must be a local path"),
        (evaluate, ["--run", "RUN", "--data", "nowhere", "--checkpoint", "best"], "'RUN' has no best checkpoint"),
    ],
)
def test_mistakes_name_the_place_that_the_user_knows(program, arguments, sentence, address, folder, capsys):
    assert program.main([argument.replace("RUN", address) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence.replace("RUN", address) in line
    assert not list(folder.iterdir())


def test_the_page_shows_a_model_of_a_store(exported_model, request):
    from stargan_tf.serving import shipped_model
    from stargan_tf.serving.served_model import newest_version

    address = f"{new_store('memory', request)}/stargan"
    upload(exported_model, address)
    whole = {path.relative_to(exported_model).as_posix() for path in exported_model.glob("1/**/*") if path.is_file()}
    for place in (address, f"{address}/1"):
        found = newest_version(shipped_model.find(place))
        assert {f"1/{path.relative_to(found).as_posix()}" for path in found.rglob("*") if path.is_file()} == whole
    client, _ = fsspec.url_to_fs(address)
    client.pipe_file(f"{address}/2/variables/half", b"x")  # which has no saved_model.pb yet
    assert newest_version(shipped_model.find(address)).name == "1"
