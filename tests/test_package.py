"""What is built and published: the archive, the wheel, and the wheel in an environment that holds nothing else."""

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.fixtures import TINY, flags

ROOT = Path(__file__).parents[1]
UV = (sys.executable, "-m", "uv")

pytestmark = pytest.mark.beyond


def files_of(*folders: str) -> set[str]:
    """Returns the files in folders of the repository."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def run(*command, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=1800)


def run_well(*command, cwd: Path | None = None) -> None:
    result = run(*command, cwd=cwd)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the archive, and with the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("built")
    run_well(*UV, "build", "--quiet", "--out-dir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """The folder of the programs of an environment into which only the wheel was installed, in the locked versions."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    run_well(*UV, "venv", "--quiet", "--python", sys.executable, environment)
    install = (*UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python")
    run_well(*install, "--constraint", ROOT / "requirements.lock", wheel)
    return environment / "bin"


def test_the_archive_holds_all_of_the_tests(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert files_of("tests", "benchmarks", "docs", "stargan_tf", "data_prep", "pipeline") - held == set()
    assert {"Makefile", "README.md", "requirements.lock", "tfx.lock", "pyproject.toml"} <= held


def test_the_wheel_holds_the_packages_and_what_they_read(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == files_of("stargan_tf", "data_prep", "pipeline")


def test_the_readme_has_whole_addresses_of_what_exists(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    links = re.findall(r"\]\(([^)\s]+)", metadata.get_payload())
    assert all(link.startswith(("https://", "http://", "#")) for link in links)
    pages = f"{metadata['Project-URL'].removeprefix('Repository, ')}/blob/main/"
    ours = [link.removeprefix(pages).partition("#")[0] for link in links if link.startswith(pages)]
    assert "docs/training.md" in ours
    assert [path for path in ours if not (ROOT / path).exists()] == []


def test_the_wheel_alone_goes_from_images_to_samples(programs, tmp_path):
    run_well(
        *(programs / "python", "-m", "data_prep.synthetic", "--output", "images", "--image_size", "16"),
        *("--train_per_domain", "4", "--val_per_domain", "2"),
        cwd=tmp_path,
    )
    run_well(
        *(programs / "stargan-prepare", "--input", "images", "--output", "data"),
        *("--image_size", "16", "--encoding", "png"),
        cwd=tmp_path,
    )
    run_well(
        programs / "stargan-train", "--data", "data", "--run", "run", "--training.steps=1", *flags(TINY), cwd=tmp_path
    )
    run_well(
        *(programs / "stargan-sample", "--run", "run", "--source", "images/val"),
        *("--reference", "images/val", "--output", "samples"),
        cwd=tmp_path,
    )
    assert (tmp_path / "samples" / "latent_guided.png").is_file()
    assert (tmp_path / "samples" / "reference_guided.png").is_file()

    # The translator that it brings, on a photograph that it brings.
    (library,) = (programs.parent / "lib").glob("python*/site-packages/stargan_tf")
    source = library / "shipped" / "leaves" / "tomato_healthy_1.jpg"
    run_well(programs / "stargan-sample", "--run", "leaves", "--source", source, "--output", "leaves", cwd=tmp_path)
    assert (tmp_path / "leaves" / "latent_guided.png").is_file()

    # What a plain installation leaves out is told in one sentence, before any work.
    for extra, command in (
        ("demo", ("stargan-demo", "--model", "nowhere")),
        ("serving", ("stargan-export", "--run", "run", "--output", "model")),
        ("serving", ("stargan-client", "--server", "localhost:1", "status")),
        ("onnx", ("stargan-export", "--run", "run", "--output", "model", "--format", "onnx")),
        ("litert", ("stargan-export", "--run", "run", "--output", "model", "--format", "litert")),
        ("video", ("stargan-sample", "interpolate", "--run", "run", "--source", "images", "--output", "video.mp4")),
        ("convert", ("stargan-convert", "--run", "run", "--to_pytorch", "nets.ckpt")),
        (
            "pipeline",
            ("stargan-pipeline", "--config", ROOT / "pipeline" / "quickstart.yaml", "--example_gen.input=images"),
        ),
    ):
        result = run(programs / command[0], *command[1:], cwd=tmp_path)
        assert (result.returncode, result.stderr.count("\n")) == (2, 1), (command, result.stderr)
        assert f"`pip install 'stargan-tf[{extra}]'` installs it" in result.stderr
