"""`make lint` finds what it is there for: run on a copy of the tree into which a mistake was planted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of what is linted, with the caches of the last lint, so that only what is planted is new."""
    tree = tmp_path_factory.mktemp("lint") / "tree"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("stargan_tf", "data_prep", "pipeline", ".mypy_cache"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("Makefile", "pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, tree)
    return tree


def lint(tree: Path) -> subprocess.CompletedProcess:
    """Runs the commands of `make lint` with this environment's programs, without installing anything."""
    return subprocess.run(
        ["make", "lint", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/installed"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("path", "code", "finding"),
    [
        pytest.param(
            "stargan_tf/networks/planted.py",
            "from stargan_tf.training import updates\n\n__all__ = [updates]\n",
            "stargan_tf.networks.planted -> stargan_tf.training.updates",
            id="an_upward_import",
        ),
        pytest.param(
            "stargan_tf/data/planted.py",
            "from stargan_tf.config import ModelConfig\n\nSIZE: str = ModelConfig().style_dim\n",
            "stargan_tf/data/planted.py:3: error: Incompatible types in assignment",
            id="a_type_error",
        ),
        pytest.param(
            "data_prep/planted.py", "import os\n", "`os` imported but unused", id="an_import_that_nothing_uses"
        ),
    ],
)
def test_a_planted_mistake_fails(tree, path, code, finding):
    planted = tree / path
    planted.write_text(code)
    try:
        result = lint(tree)
    finally:
        planted.unlink()
    assert result.returncode != 0
    assert finding in result.stdout


def test_without_a_mistake_it_passes(tree):
    result = lint(tree)
    assert result.returncode == 0, result.stdout
