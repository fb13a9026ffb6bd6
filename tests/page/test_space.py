"""A Hugging Face Space, started from its folder as the Hub starts it, and used."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml

pytest.importorskip("gradio", reason="Gradio is not installed; pip install '.[demo]' does that")

from stargan_tf import export
from stargan_tf.page.actions import STYLES
from stargan_tf.serving.served_model import LocalModel

# Nothing takes as long, on a machine that is not busy with other things.
SECONDS = 300
UV = (sys.executable, "-m", "uv")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def space(trained_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("spaces") / "shapes"
    arguments = ["--run", str(trained_run), "--output", str(folder), "--format", "space"]
    assert export.main([*arguments, "--batch_sizes", "[1]", "--max_rows", "8", "--licence", "CC BY 4.0"]) == 0
    # Before any test: the app, once started, compiles its modules there.
    assert not list(folder.rglob("__pycache__"))
    return folder


@contextlib.contextmanager
def started(space: Path, python: str | Path) -> Iterator[str]:
    """Runs the app in a process that knows nothing of the checkout; gives the page's address."""
    unset = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": "0"}
    with subprocess.Popen(
        [str(python), "app.py"], cwd=space, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        too_late = threading.Timer(SECONDS, process.kill)
        too_late.start()
        try:
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+/", line)
            assert address, f"no page: {line!r}, exit code {process.poll()}"
            yield address[0]
        finally:
            too_late.cancel()
            process.terminate()


def test_what_is_in_the_folder(space):
    assert {path.name for path in space.iterdir()} == {
        *("app.py", "README.md", "requirements.txt", ".gitattributes", "model", "stargan_tf"),
    }
    head = (space / "README.md").read_text().split("---\n")[1]
    settings = yaml.safe_load(head)
    assert settings["sdk"] == "gradio" and settings["sdk_version"] == metadata.version("gradio")
    assert settings["app_file"] == "app.py" and settings["license"] == "cc-by-4.0" and settings["title"] == "shapes"
    # https://huggingface.co/docs/hub/spaces-config-reference
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {settings["colorFrom"], settings["colorTo"]} <= colours
    assert len(settings["short_description"]) <= 60


def test_the_app_starts_from_the_folder_and_translates(space, browser, source):
    from tests.page.browser import Page

    with started(space, sys.executable) as address:
        page = Page(browser, address)
        page.click("#domain label:nth-of-type(2)")
        page.choose("source", source)
        page.wait_for_text("#shown label", "square, seed 0")
        drawn = page.images("#styles")
    expected = LocalModel(space / "model").translate_latent(source.read_bytes(), "square", range(STYLES))
    assert drawn == [translation.image for translation in expected]
    assert (space / "stargan_tf" / "page" / "__pycache__").is_dir()  # it was this source that ran


@pytest.mark.beyond
def test_requirements_are_all_that_the_page_needs(space, tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([*UV, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    gradio = f"gradio=={metadata.version('gradio')}"  # which the Hub installs
    wanted = ["--requirement", str(space / "requirements.txt"), gradio]
    subprocess.run([*UV, "pip", "install", "--quiet", "--python", str(python), *wanted], check=True)
    with started(space, python) as address, urllib.request.urlopen(address, timeout=SECONDS) as answer:
        assert "shapes: try the model" in answer.read().decode()


def test_mistakes_get_one_sentence(space, trained_run, tmp_path, capsys, monkeypatch):
    arguments = ["--run", str(trained_run), "--format", "space", "--output"]
    for others, sentence in (
        ([str(space)], "is not empty; a Space (--format space) needs a folder of its own"),
        ([str(tmp_path / "new"), "--version", "2"], "a Space (--format space) has no versions"),
    ):
        assert export.main([*arguments, *others]) == 2
        err = capsys.readouterr().err
        assert sentence in err and err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert export.main([*arguments, str(tmp_path / "new")]) == 2
    assert "`pip install 'stargan-tf[demo]'` installs it" in capsys.readouterr().err
