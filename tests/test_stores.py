"""No command takes a place on a store for a folder: it works there, or refuses in one sentence before any work."""

import dataclasses
import importlib
from typing import get_args, get_origin

import pytest

from pipeline.configuration import Settings
from stargan_tf.base import command_line
from stargan_tf.base.flags import dotted_fields, fields_with_schemes
from tests.test_exit_codes import COMMANDS

EXAMPLES = ("examples.reproduce", "examples.showcase")

# Flags that take an address of a server, which `tests/serving` tries, or any text.
NO_PLACES = {"server", "licence", "notes", "trainer.export.licence"}

# Commands with the many flags of `pipeline.run`, where these are tried.
SHARE_SETTINGS = ("pipeline.compile", "pipeline.lineage")


class Called(Exception):
    """Instead of running a command, what it was called with."""

    def __init__(self, modes):
        self.modes = modes


def modes_of(command: str) -> dict[str, type]:
    """Returns the dataclasses of a command's flags, by the word before them."""

    def main(arguments_type, *arguments, **keywords):
        raise Called({"": arguments_type})

    def main_of_modes(modes, *arguments, **keywords):
        raise Called({word: mode.arguments_type for word, mode in modes.items()})

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Called) as called:
        patch.setattr(command_line, "main", main)
        patch.setattr(command_line, "main_of_modes", main_of_modes)
        importlib.import_module(command).main([])
    return called.value.modes


def texts(kind) -> bool:
    """Whether a field takes any text, or several."""
    return kind is str or (get_origin(kind) is not dict and any(map(texts, get_args(kind))))


def needed(arguments_type: type) -> list[str]:
    return [
        field.name
        for field in dataclasses.fields(arguments_type)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory, in which nothing may appear."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARGAN_TF_CACHE", str(tmp_path / "cache"))
    yield tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, *EXAMPLES])
def test_no_flag_takes_a_place_on_a_store_for_a_folder(command, capsys):
    module, tried = importlib.import_module(command), 0
    of_run = dict(dotted_fields(Settings))
    for word, arguments_type in modes_of(command).items():
        required = needed(arguments_type)
        for name, kind in dotted_fields(arguments_type):
            if not texts(kind) or name in NO_PLACES or (command in SHARE_SETTINGS and name in of_run):
                continue
            values = {flag: "afhq" if flag == "table" else "nowhere" for flag in required}
            flags = [f"--{flag}={value}" for flag, value in (values | {name: "memory://bucket/x"}).items()]
            assert module.main([*filter(None, [word]), *flags]) == 2, name
            out, err = capsys.readouterr()
            assert len(err.splitlines()) == 1 and "Traceback" not in err, err
            assert not out
            if name not in fields_with_schemes(arguments_type):
                assert f"--{name} is memory://bucket/x, which is on a store; it must be a local path" in err
            tried += 1
    assert tried or command in SHARE_SETTINGS
