"""The commands and programs of README.md and docs/ run, on generated images and with tiny networks.

Each page runs in a directory of its own, from its first block to its last. What cannot run here stands in `NOT_RUN`,
with the reason; our own commands among it are parsed all the same.
"""

import argparse
import importlib
import importlib.util
import re
import shlex
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import jsonargparse
import numpy as np
import pytest
from PIL import Image

from tests.docs.pages import PAGES, ROOT, Block, blocks, commands, inline_code
from tests.fixtures import TINY, flags

# Appended to the command's own flags, so that it takes seconds.
_TINY_RUN = [*flags(TINY), "--model.image_size=16", "--training.steps=2", "--training.checkpoint_every=1"]
_TINY_RUN += ["--training.sample_every=2", "--training.log_every=1", "--training.eval_sources=3"]
SMALL = {
    "data_prep.images_to_tfrecords": ["--image_size=16"],
    "stargan_tf.train": _TINY_RUN,
    "stargan_tf.evaluate": ["--outputs=4", "--sources=3", "--neighbours=10", "--deterministic=false"],
    "stargan_tf.sample interpolate": ["--frames=2", "--sources=1"],
    "stargan_tf.export": ["--batch_sizes=1", "--max_rows=4", "--max_pixels=1000000"],
}

# What does not run here: pages, the beginning or a part of the command, the reason.
NOT_RUN = (
    ("*", "make ", "takes minutes and writes into the clone; the target must exist"),
    ("*", "pip install", "changes the environment; the extras must exist"),
    ("*", "docker ", "needs Docker"),
    ("*", "kubectl ", "needs Kubernetes"),
    ("*", "hf ", "needs the Hub"),
    ("docs/hub.md", "python SPACES/pets/app.py", "serves a page; tests/page/test_space.py uses one"),
    ("docs/hub.md", "python -m", "is for what was pushed; tests/page/test_space.py makes a Space"),
    ("*", "curl ", "needs a running TF Serving"),
    ("*", "export TF_CONFIG=", "is for several machines"),
    ("*", "npm ", "downloads a package; `make runtime` does, for the tests"),
    ("*", "--format web", "needs the npm package; tests/serving/web exports pages where it is"),
    ("*", "python -m http.server", "serves until it is stopped; tests/serving/web opens pages"),
    ("*", "saved_model_cli ", "is TensorFlow's; tests/serving/test_other_programs.py asks it"),
    ("*", "tensorboard ", "serves until it is stopped"),
    ("*", "pytest", "is this"),
    ("*", "pre-commit install", "changes the repository"),
    ("*", "uv pip ", "changes the environment"),
    ("*", "gs://", "needs a bucket"),
    ("*", "s3://", "needs a bucket"),
    ("*", "hdfs://", "needs Hadoop"),
    ("*", "tfds:", "downloads a data set; tests/data_prep/test_tfds_source.py reads directories of them"),
    ("*", "hf://", "needs the Hub; tests/data_prep/test_hub.py serves one"),
    ("*", "--runner=PortableRunner", "needs a job server; tests/data_prep/test_runners.py starts one"),
    ("*", "apache_beam.runners.portability", "is the job server, which never ends"),
    ("*", "--processes 8", "starts eight processes; tests/data_prep/test_runners.py starts two"),
    ("*", "direct_num_workers=8", "starts eight processes; tests/data_prep/test_runners.py starts two"),
    ("*", "python -m benchmarks.", "measures for minutes"),
    ("*", "python -m tests.", "takes minutes; test_parity.py and others run it"),
    ("*", "python -m pipeline.", "takes minutes and needs TFX; tests/pipeline runs every stage"),
    (
        "*",
        "python -m stargan_tf.serving.client",
        "needs a running TF Serving; test_client.py has a double",
    ),
    ("*", "python -m stargan_tf.demo", "serves a page until it is stopped; tests/test_demo.py opens it"),
    ("docs/get_started.md", "python -m", "has the commands of README.md and of the pages it leads to, where they run"),
    (
        "docs/published_checkpoints.md",
        "--training.steps 120000",
        "trains with the published batch; test_conversion.py makes an update",
    ),
    ("docs/published_checkpoints.md", "stargan_tf.export", "takes half a minute; docs/serving.md has the same command"),
    (
        "docs/bulk_translation.md",
        "python -m",
        "takes a minute; tests/data_prep/test_translate_images.py runs every kind of it",
    ),
    ("*", "--run leaves", "translates real photographs; tests/test_shipped.py does"),
    (
        "docs/reproduce.md",
        "python -m",
        "needs the paper's images and networks; tests/examples/test_reproduce.py has small ones",
    ),
    ("*", "--mode photographs", "trains three networks; tests/evaluation/test_photographs.py does"),
    ("docs/scaling.md", "python -m stargan_tf.train", "is for several GPUs or machines"),
    (
        "docs/faces.md",
        "python -m",
        "needs the published face network; test_align.py has a double",
    ),
)
# Programs in Python that cannot run here: compiled only.
NOT_RUN_PYTHON = {
    "docs/metrics.md": "exports networks with torchvision, pytorch_fid and lpips, whose weights are downloads",
    "docs/serving.md": "needs a running TF Serving",
}

# What a page takes for granted, besides images: made once by the commands of README.md and copied.
NEEDS = {
    "README.md": ("checkpoints",),
    "docs/evaluation.md": ("data/pets", "runs/pets"),
    "docs/sampling.md": ("data/pets", "runs/pets"),
    "docs/serving.md": ("runs/pets",),
    "docs/training.md": ("data/pets", "runs/pets"),
    "docs/published_checkpoints.md": ("checkpoints", "data/afhq", "data/pets"),
    "docs/your_photographs.md": ("data/pets",),
}

_OURS = re.compile(r"python -m (stargan_tf|data_prep|pipeline|benchmarks|examples|tests)\b")


class _Parsed(BaseException):
    """The flags are good; what they ask for is not done."""


# ------------------------------------------------------------------------------------------------ running
@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """A directory for what pages take for granted: `images`, and what is made when a page needs it first."""
    root = tmp_path_factory.mktemp("things")
    random = np.random.default_rng(0)
    for folder in ("photos", "animals"):
        for domain in ("cat", "dog", "wild")[: 2 if folder == "photos" else 3]:
            for number in range(9):
                path = root / "images" / folder / ("train" if number < 6 else "val") / domain / f"{domain}{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    shutil.copytree(root / "images/photos/val/cat", root / "images/more_cats")
    shutil.copy(root / "images/photos/val/cat/cat6.jpg", root / "images/cat.jpg")
    return root


def _made(things: Path, name: str) -> Path:
    """Returns a directory whose content a page finds in its own."""
    path = things / name
    if path.exists():
        return path
    path.mkdir(parents=True)
    if name == "checkpoints":
        _write_checkpoints(path)
    elif name == "runs/pets":
        data = _made(things, "data/pets") / "data/pets"
        preset = "--preset afhq_256 --model.num_domains 2"
        _run(f"python -m stargan_tf.train --data {data} --run {path}/{name} {preset}")
    else:
        images = {"data/pets": "photos", "data/afhq": "animals"}[name]
        _run(f"python -m data_prep.images_to_tfrecords --input {things}/images/{images} --output {path}/{name}")
    return path


def _write_checkpoints(path: Path) -> None:
    """Writes files of the published structure, as small as the networks of the other pages."""
    import torch

    from tests import published_files

    state = published_files.random_state(replace(TINY.model, image_size=16, num_domains=3), seed=0)
    nets, optims = published_files.trained_with_torch(state, steps=1)
    published_files.save(published_files.averaged(nets), path / "100000_nets_ema.ckpt")
    published_files.save(nets, path / "100000_nets.ckpt")
    torch.save(optims, path / "100000_optims.ckpt")
    (path / "afhq").mkdir()
    shutil.copy(path / "100000_nets_ema.ckpt", path / "afhq")


def _run(command: str, parse_only: bool = False) -> None:
    """Runs a command of ours within this process, made small; or only parses its flags."""
    words = shlex.split(command, comments=True)
    module, argv = words[2], words[3:]
    if parse_only and module.startswith("pipeline.") and importlib.util.find_spec("tfx") is None:
        return
    small = SMALL.get(" ".join(words[2:4]), SMALL.get(module, []))
    end = argv.index("--") if "--" in argv else len(argv)
    argv = [*argv[:end], *small, *argv[end:]]
    main = importlib.import_module(module).main
    with pytest.MonkeyPatch.context() as patch:
        if parse_only:
            for parser in (jsonargparse.ArgumentParser, argparse.ArgumentParser):
                patch.setattr(parser, "parse_args", _parse_only(parser.parse_args))
        elif "--output" in argv and "--verify" not in argv:  # a page may tell several ways to make the same thing
            shutil.rmtree(argv[argv.index("--output") + 1], ignore_errors=True)
        try:
            code = main(argv)
        except _Parsed:
            return
        except SystemExit as end:
            code = end.code
    assert code in (0, None), f"exit code {code}"


def _parse_only(parse):
    def parse_and_leave(*arguments, **named):
        parse(*arguments, **named)
        raise _Parsed

    return parse_and_leave


def _reason(page: str, command: str) -> str | None:
    """Returns why a command is not run, or None if it is."""
    return next((reason for where, part, reason in NOT_RUN if where in ("*", page) and part in command), None)


def _check(page: str, command: str) -> None:
    """Runs a command, or checks as much of it as can be checked."""
    reason = _reason(page, command)
    if _OURS.match(command):
        _run(command, parse_only=reason is not None)
    elif command.startswith("make "):
        _check_make(command)
    elif command.startswith("pip install"):
        _check_extras(command)
    elif command.startswith("cp "):
        *files, target = shlex.split(command)[1:]
        for file in files:
            shutil.copy(file, target)
    else:
        assert reason, "it is none of our commands and stands in no row of NOT_RUN"


def _check_make(command: str) -> None:
    targets = [word for word in shlex.split(command, comments=True)[1:] if "=" not in word and not word.startswith("-")]
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    rules = re.findall(r"^([\w./-]+):(?!=)", makefile, re.MULTILINE)
    assert set(targets) <= set(rules), f"the Makefile has {', '.join(rules)}"


def _check_extras(command: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {extra for group in re.findall(r"(?:stargan-tf|\.)\[([\w,-]+)\]", command) for extra in group.split(",")}
    assert asked <= set(extras), f"the extras are {', '.join(extras)}"


def _execute(page: str, block: Block) -> None:
    program = compile(block.text, block.place, "exec")
    if page not in NOT_RUN_PYTHON:
        exec(program, {})


@pytest.mark.beyond
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in ("sh", "python") for b in blocks(page))])
def test_the_commands_of_a_page_run(page, things, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARGAN_TF_CACHE", str(things / "cache"))
    needs = NEEDS.get(page, ())
    if "checkpoints" in needs:
        pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
    for name in ("images", *needs):
        shutil.copytree(_made(things, name), tmp_path, dirs_exist_ok=True)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "pipeline").symlink_to(ROOT / "pipeline")
    for block in blocks(page):
        for command in commands(block) if block.language == "sh" else [""]:
            try:
                if command:
                    _check(page, command)
                elif block.language == "python":
                    _execute(page, block)
            except Exception as error:
                pytest.fail(f"{block.place}: {command or block.text}\n{error}\n{capsys.readouterr().err[-2000:]}")


# ------------------------------------------------------------------------------------------------ parsing
@pytest.mark.parametrize("page", PAGES)
def test_commands_in_sentences_can_be_parsed(page):
    for code in inline_code(page):
        if _OURS.match(code):
            words = shlex.split(code)
            assert importlib.util.find_spec(words[2]), code
            if any(word.startswith("--") for word in words):
                try:
                    _run(code, parse_only=True)
                except AssertionError as error:
                    pytest.fail(f"{page}: {code}: {error}")
        elif code.startswith("make "):
            _check_make(code)
        elif code.startswith("pip install"):
            _check_extras(code)


def test_every_row_of_what_is_not_run_is_needed():
    told = [(page, command) for page in PAGES for b in blocks(page) if b.language == "sh" for command in commands(b)]
    for where, part, _ in NOT_RUN:
        assert any(where in ("*", page) and part in command for page, command in told), (where, part)
