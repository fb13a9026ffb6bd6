import ast
import tomllib
from pathlib import Path

import pytest

from stargan_tf import export
from stargan_tf.base import extras
from stargan_tf.base.errors import UserError

ROOT = Path(__file__).parents[2]


def required():
    """Yields the extra and the packages of each call of `extras.require`, and those that export asks for by format."""
    yield from export.NEEDS.values()
    for package in ("stargan_tf", "data_prep", "pipeline"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "extras.require":
                    constants = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                    yield from [constants] if constants else []


def test_a_missing_package_is_one_sentence():
    extras.require("demo", "json")
    with pytest.raises(UserError) as raised:
        extras.require("demo", "json", "no_such_package")
    assert str(raised.value) == "the package no_such_package is missing; `pip install 'stargan-tf[demo]'` installs it"


@pytest.mark.slow
def test_each_extra_exists():
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked_for = {extra for extra, *_ in required()}
    assert {"convert", "demo", "litert", "metrics", "onnx", "pipeline", "serving", "video"} <= asked_for
    assert asked_for <= set(offered)
