import errno
import io
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Literal

import pytest
import yaml

from stargan_tf.base import command_line
from stargan_tf.base.command_line import Mode
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeFloat, PositiveInt, Seed, Share, ShareBelowOne


@dataclass(frozen=True)
class Inner:
    """Nested.

    Args:
        width: of the thing, in furlongs.
        ratio: of it.
        limits: low and high.
        deep: a nested switch.
    """

    width: int = 3
    ratio: float = 0.5
    limits: tuple[float, float] = (0.0, 1.0)
    deep: bool = False


@dataclass(frozen=True)
class Arguments:
    """What a command takes.

    Args:
        path: where.
        count: how many.
        size: side, or height and width.
        names: of all.
        form: which.
        overwrite: a switch.
        inner: more.
        row_height: of each row.
        shares: some numbers.
        kinds: some words.
    """

    path: str
    count: int = 1
    size: int | tuple[int, int] | None = None
    names: tuple[str, ...] | None = None
    form: Literal["round", "square"] = "round"
    overwrite: bool = False
    inner: Inner = field(default_factory=Inner)
    row_height: int = 1
    shares: list[float] = field(default_factory=list)
    kinds: tuple[Literal["red", "blue"], ...] = ()


def parse(*argv, **options):
    return command_line.parse(Arguments, [str(argument) for argument in argv], "program", **options)


# ---------------------------------------------------------------------- values


def test_defaults():
    assert parse("--path", "x") == Arguments("x")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--count", "5"], Arguments("x", count=5)),
        (["--count=-5"], Arguments("x", count=-5)),
        (["--size", "64"], Arguments("x", size=64)),
        (["--size", "[32, 48]"], Arguments("x", size=(32, 48))),
        (["--size", "null"], Arguments("x")),
        (["--names", "[cat, big dog]"], Arguments("x", names=("cat", "big dog"))),
        (["--form", "square"], Arguments("x", form="square")),
        (["--inner.width", "7"], Arguments("x", inner=Inner(width=7))),
        (["--inner.ratio", "1e-4"], Arguments("x", inner=Inner(ratio=1e-4))),
        (["--inner.ratio", "2"], Arguments("x", inner=Inner(ratio=2.0))),
        (["--inner.limits", "[0.25, 2]"], Arguments("x", inner=Inner(limits=(0.25, 2.0)))),
        (["--path", "123"], Arguments("123")),
    ],
)
def test_values_have_the_types_of_their_fields(argv, expected):
    parsed = parse("--path", "x", *argv)
    assert parsed == expected
    assert isinstance(parsed.inner, Inner)
    assert type(parsed.inner.ratio) is float and type(parsed.inner.limits) is tuple and type(parsed.path) is str


@pytest.mark.parametrize(
    ("argv", "overwrite", "deep"),
    [
        ([], False, False),
        (["--overwrite"], True, False),
        (["--overwrite", "--count", "2"], True, False),
        (["--overwrite", "true"], True, False),
        (["--overwrite", "false"], False, False),
        (["--overwrite=false"], False, False),
        (["--inner.deep"], False, True),
        (["--inner.deep", "--overwrite"], True, True),
    ],
)
def test_switches(argv, overwrite, deep):
    parsed = parse("--path", "x", *argv)
    assert (parsed.overwrite, parsed.inner.deep) == (overwrite, deep)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--shares", "0.5", "1", "-2"], Arguments("x", shares=[0.5, 1.0, -2.0])),
        (["--shares", "0.5", "--count", "5"], Arguments("x", shares=[0.5], count=5)),
        (["--shares=0.5"], Arguments("x", shares=[0.5])),
        (["--shares", "[0.5, 1]"], Arguments("x", shares=[0.5, 1.0])),
        (["--shares=[0.5,1]"], Arguments("x", shares=[0.5, 1.0])),
        (["--names", "it's: a cat", "12", "b,c"], Arguments("x", names=("it's: a cat", "12", "b,c"))),
        (["--names", "null"], Arguments("x")),
        (["--kinds", "red", "blue"], Arguments("x", kinds=("red", "blue"))),
    ],
)
def test_lists_may_be_written_as_words(argv, expected):
    parsed = parse("--path", "x", *argv)
    assert parsed == expected and all(type(share) is float for share in parsed.shares)


@dataclass(frozen=True)
class Choices:
    """Choices."""

    format: Literal["png", "jpeg"] | None = None
    device: Literal["cpu", "CPU", "gpu"] = "cpu"
    name: str = ""


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--format", "PNG"], Choices("png")),
        (["--format=jpg", "--name", "JPG"], Choices("jpeg", name="JPG")),
        (["--device", "CPU"], Choices(device="CPU")),
        (["--device", "GPU"], Choices(device="gpu")),
    ],
)
def test_choices_may_be_written_in_any_case(argv, expected):
    assert command_line.parse(Choices, argv, "program") == expected
    with pytest.raises(UserError, match="--format is 'bmp'; it must be one of png, jpeg"):
        command_line.parse(Choices, ["--format", "bmp"], "program")


def test_flags_may_be_written_with_dashes():
    assert parse("--path", "a-b", "--row-height", 3) == Arguments("a-b", row_height=3)
    assert parse("--path=a-b", "--row-height=4") == Arguments("a-b", row_height=4)


def test_precedence_is_defaults_then_file_then_flags(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("path: from file\ncount: 5\nsize: [32, 48]\ninner:\n  width: 50\n  limits: [1, 2]\n")
    defaults = {"count": 4, "inner.width": 40, "inner.ratio": 0.25, "form": "square"}

    assert parse("--config", file) == Arguments("from file", 5, (32, 48), inner=Inner(50, limits=(1.0, 2.0)))
    assert parse("--path", "x", defaults=defaults) == Arguments("x", 4, form="square", inner=Inner(40, 0.25))
    assert parse("--config", file, "--inner.width", "6", defaults=defaults) == Arguments(
        "from file", 5, (32, 48), form="square", inner=Inner(6, 0.25, (1.0, 2.0))
    )


def test_a_later_file_overrides_an_earlier_one(tmp_path):
    (tmp_path / "a.yaml").write_text("path: a\ncount: 5\n")
    (tmp_path / "b.yaml").write_text("path: b\n")
    assert parse("--config", tmp_path / "a.yaml", "--config", tmp_path / "b.yaml") == Arguments("b", 5)


def test_help_is_taken_from_the_docstrings(capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--help", description="Does it all.")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "Does it all." in text and "--inner.width" in text and "in furlongs" in text


# ---------------------------------------------------------------------- mistakes


def fails(capsys, *argv) -> str:
    """Runs a command that must refuse its arguments; returns the one line that it prints."""
    calls = []
    assert command_line.main(Arguments, calls.append, "program", argv=[str(argument) for argument in argv]) == 2
    assert calls == []
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and captured.err.endswith("\n")
    assert captured.err.startswith("program: error: ")
    return captured.err.removeprefix("program: error: ").rstrip()


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--colour", "red"], ["--colour"]),
        (["--inner.colour", "red"], ["--inner.colour"]),
        (["--count"], ["--count"]),
        (["stray"], ["stray"]),
    ],
)
def test_a_flag_that_is_wrong_is_named(argv, named, capsys):
    message = fails(capsys, "--path", "x", *argv)
    assert all(name in message for name in named)
    assert "`program --help` lists the flags" in message


@pytest.mark.parametrize(
    ("argv", "start"),
    [
        (["--count", "many"], "--count is 'many'; it must be a whole number"),
        (["--count", "1.5"], "--count is '1.5'; it must be a whole number"),
        (["--inner.width", "wide"], "--inner.width is 'wide'; it must be a whole number"),
        (["--inner.ratio", "half"], "--inner.ratio is 'half'; it must be a number"),
        (["--overwrite", "maybe"], "--overwrite is 'maybe'; it must be true or false"),
        (["--form", "oval"], "--form is 'oval'; it must be one of round, square"),
        (["--size", "large"], "--size is 'large'; it must be a whole number or [height, width] or null"),
    ],
)
def test_a_value_that_is_wrong_is_named_with_what_would_be_right(argv, start, capsys):
    assert fails(capsys, "--path", "x", *argv).startswith(start + "; ")


@pytest.mark.parametrize("value", ["[1]", "[1, 2, 3]", "[a, b]", "0.5"])
def test_a_pair_that_is_wrong_is_named(value, capsys):
    message = fails(capsys, "--path", "x", "--inner.limits", value)
    assert "--inner.limits" in message and value.strip("[]").split(",")[0] in message


def test_what_is_missing_is_named(capsys):
    assert "path" in fails(capsys, "--count", "3")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour: red\n", ["colour"]),
        ("inner: {colour: red}\n", ["colour"]),
        ("count: many\n", ["count", "many", "a whole number"]),
        ("inner: {ratio: half}\n", ["inner.ratio", "half", "a number"]),
        ("form: oval\n", ["form", "oval", "round, square"]),
        ("count: [1\n", ["config.yaml"]),
        ("just words\n", ["just words", "config.yaml"]),
        ("inner: 3\n", ["inner is 3 in", "config.yaml", "section", "width"]),
        ("inner: [1, 2]\n", ["inner is [1, 2]", "section"]),
        ("inner: null\n", ["inner is null", "section"]),
        ("inner: words\n", ["inner is 'words'", "section"]),
    ],
)
def test_a_mistake_in_a_file_is_named(text, named, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(text)
    message = fails(capsys, "--path", "x", "--config", tmp_path / "config.yaml")
    assert [name for name in named if name not in message] == []


def test_a_file_that_is_missing_is_named(tmp_path, capsys):
    assert "nowhere.yaml" in fails(capsys, "--path", "x", "--config", tmp_path / "nowhere.yaml")


# ---------------------------------------------------------------------- running


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (130, 130)])
def test_the_exit_code_is_what_the_command_returns(returned, code, capsys):
    seen = []

    def command(arguments):
        seen.append(arguments)
        return returned

    assert command_line.main(Arguments, command, "program", argv=["--path", "x"]) == code
    assert seen == [Arguments("x")]
    assert capsys.readouterr().err == ""


def test_defaults_may_depend_on_the_arguments():
    seen = []
    command_line.main(
        Arguments,
        seen.append,
        "program",
        argv=["--path", "x", "--inner.width", "9"],
        defaults=lambda arguments: {"form": "square", "names": (arguments.path,), "inner.width": 8},
    )
    assert seen == [Arguments("x", form="square", names=("x",), inner=Inner(9))]


def test_a_users_mistake_in_the_command_is_one_line(capsys):
    def command(arguments):
        raise UserError(f"there is no {arguments.path!r}")

    assert command_line.main(Arguments, command, "program", argv=["--path", "x"]) == 2
    assert capsys.readouterr().err == "program: error: there is no 'x'\n"


def test_a_mistake_of_ours_keeps_its_traceback():
    def command(arguments):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command_line.main(Arguments, command, "program", argv=["--path", "x"])


def test_a_quiet_start_hides_what_libraries_print(capfd):
    with command_line.quiet_start():
        os.write(2, b"noise\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_start_that_fails_shows_it(exception, capfd):
    with pytest.raises(exception), command_line.quiet_start():
        os.write(2, b"noise\n")
        raise exception
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "noise\nafter\n"


def test_the_printed_configuration_has_defaults_that_depend_on_the_arguments(capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.main(
            Arguments,
            lambda arguments: pytest.fail("nothing may run"),
            program="thing",
            argv=["--path", "x", "--print_config", "--count", "7"],
            defaults=lambda arguments: {"inner.width": 8},
        )
    assert stop.value.code == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["inner"]["width"] == 8
    assert printed["count"] == 7


# ---------------------------------------------------------------------- ranges


@dataclass(frozen=True)
class Limits:
    """Of a section.

    Args:
        decay: how fast.
    """

    decay: ShareBelowOne = 0.9


@dataclass(frozen=True)
class Ranges:
    """Numbers with a range.

    Args:
        steps: how many.
        seed: of all.
        weight: of it.
        devices: or all.
        psi: some.
        limits: more.
        seeds: several.
        order: of rows and columns.
    """

    steps: PositiveInt = 1
    seed: Seed = 0
    weight: NonNegativeFloat = 1.0
    devices: PositiveInt | None = None
    psi: list[Share] = field(default_factory=lambda: [1.0])
    limits: Limits = field(default_factory=Limits)
    seeds: list[Seed] | None = None
    order: Literal["rows", "columns"] | None = None


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--steps", "0"], "--steps is 0; it must be at least 1; "),
        (["--steps=-5"], "--steps is -5; it must be at least 1; "),
        (["--steps", "1.5"], "--steps is 1.5; it must be a whole number, at least 1; "),
        (["--steps", "many"], "--steps is 'many'; it must be a whole number, at least 1; "),
        (["--seed", "2147483648"], "--seed is 2147483648; it must be at least 0 and below 2^31; "),
        (["--weight", "nan"], "--weight is nan; it must be at least 0; "),
        (["--weight", "heavy"], "--weight is 'heavy'; it must be a number, at least 0; "),
        (["--devices", "0"], "--devices is 0; it must be at least 1; "),
        (["--devices", "1.5"], "--devices is 1.5; it must be a whole number, at least 1; "),
        (["--devices", "all"], "--devices is 'all'; it must be a whole number, at least 1, or null; "),
        (
            ["--seeds", "1", "-2"],
            "--seeds is [1, -2]; it must be whole numbers, each at least 0 and below 2^31, or null; ",
        ),
        (
            ["--seeds", "1.5", "2"],
            "--seeds is [1.5, 2]; it must be whole numbers, each at least 0 and below 2^31, or null; ",
        ),
        (
            ["--seeds", "a", "b"],
            "--seeds is ['a', 'b']; it must be whole numbers, each at least 0 and below 2^31, or null; ",
        ),
        (["--order", "none"], "--order is 'none'; it must be one of rows, columns or null; "),
        (["--psi", "0.5", "1.5"], "--psi is 1.5; it must be between 0 and 1; "),
        (["--limits.decay", "1"], "--limits.decay is 1; it must be at least 0 and below 1; "),
    ],
)
def test_a_number_out_of_its_range_is_named(argv, sentence, capsys):
    assert command_line.main(Ranges, lambda arguments: pytest.fail("nothing may run"), "program", argv=argv) == 2
    assert capsys.readouterr().err.startswith(f"program: error: {sentence}")


def test_what_is_parsed_are_plain_numbers():
    argv = ["--steps", "3", "--devices", "2", "--psi", "0", "1", "--limits.decay", "0"]
    parsed = command_line.parse(Ranges, argv, "program")
    assert parsed == Ranges(3, 0, 1.0, 2, [0.0, 1.0], Limits(0.0))
    assert [type(value) for value in (parsed.steps, parsed.devices, *parsed.psi)] == [int, int, float, float]
    assert type(parsed.limits.decay) is float


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (Ranges(steps=0), "--run.steps is 0; it must be at least 1"),
        (Ranges(steps=None), "--run.steps is null; it must have a value"),
        (Ranges(psi=[0.5, 1.5]), "--run.psi is [0.5, 1.5]; it must be between 0 and 1"),
        (Ranges(limits=Limits(float("nan"))), "--run.limits.decay is nan; it must be at least 0 and below 1"),
    ],
)
def test_what_is_made_in_python_is_checked_like_flags(arguments, sentence):
    command_line.check_ranges(Ranges())
    with pytest.raises(UserError) as raised:
        command_line.check_ranges(arguments, "run.")
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 0}, "--steps is 0; it must be at least 1 (in some.yaml)"),
        ({"limits": {"decay": 2}}, "--limits.decay is 2; it must be at least 0 and below 1 (in some.yaml)"),
        ({"steps": None}, "--steps is null; it must have a value"),
        ({"limits": 3}, "limits is 3 in some.yaml; it must be a section with any of decay"),
        ([1], "some.yaml has [1]; it must have values by name"),
    ],
)
def test_values_by_name_are_checked_like_flags(values, sentence):
    assert command_line.from_values(Ranges, {"steps": 2, "limits": {"decay": 0.5}}, "x") == Ranges(
        2, limits=Limits(0.5)
    )
    with pytest.raises(UserError) as raised:
        command_line.from_values(Ranges, values, "some.yaml")
    assert str(raised.value) == sentence


# ---------------------------------------------------------------------- modes


def run_mode(*argv: str, default: str | None = "count", noun: str = "mode") -> tuple[int, list]:
    seen: list = []
    modes = {
        "count": Mode(Ranges, seen.append, "Counts all."),
        "copy": Mode(Arguments, seen.append, "Copies it."),
    }
    return command_line.main_of_modes(modes, "program", "There is copy, too.", argv, default, noun), seen


@pytest.mark.parametrize(
    ("argv", "arguments"),
    [
        ([], Ranges()),
        (["--steps", "3"], Ranges(3)),
        (["count", "--psi", "0.5", "1"], Ranges(psi=[0.5, 1.0])),
        (["copy", "--path", "x", "--overwrite", "--row-height", "2"], Arguments("x", overwrite=True, row_height=2)),
    ],
)
def test_the_first_word_names_the_mode(argv, arguments):
    assert run_mode(*argv) == (0, [arguments])


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["fly"], "program: error: there is no mode 'fly'; choose count, copy; `program --help` lists the flags"),
        (["--steps", "0"], "program: error: --steps is 0; it must be at least 1; `program --help` lists the flags"),
        (["copy"], "program copy: error: missing: --path; `program copy --help` lists the flags"),
        (["copy", "--path", "x", "--steps", "1"], "program copy: error: unrecognized arguments: --steps 1; "),
    ],
)
def test_a_mistake_in_a_mode_is_one_line(argv, sentence, capsys):
    assert run_mode(*argv) == (2, [])
    err = capsys.readouterr().err
    assert err.startswith(sentence) and err.count("\n") == 1


def test_a_mode_must_be_named_without_a_default(capsys):
    for argv, sentence in (
        (
            ["--steps", "3"],
            "program: error: there is no mode '3'; choose count, copy; `program --help` lists the flags\n",
        ),
        ([], "program: error: no mode is named; it must be one of count, copy; `program --help` lists the flags\n"),
    ):
        assert run_mode(*argv, default=None) == (2, [])
        assert capsys.readouterr().err == sentence


def test_modes_can_have_another_name(capsys):
    assert run_mode("count", default=None, noun="action") == (0, [Ranges()])
    assert run_mode("fly", default=None, noun="action") == (2, [])
    assert "there is no action 'fly'; choose count, copy; " in capsys.readouterr().err


def test_an_unknown_key_in_the_file_of_a_mode_is_named(tmp_path, capsys):
    (tmp_path / "wrong.yaml").write_text("colour: red")
    for argv in ([], ["count"]):
        assert run_mode(*argv, "--config", str(tmp_path / "wrong.yaml")) == (2, [])
        told = capsys.readouterr().err
        assert "error: colour is no field that this version knows: it is misspelt, or a newer version wrote" in told
        assert "wrong.yaml" in told and "--help" not in told


def test_an_unknown_field_of_a_section_is_named_whole(tmp_path):
    """And the hint is not the help of what may be no program at all."""
    (tmp_path / "newer.yaml").write_text("path: x\ninner: {height: 3}\n")
    with pytest.raises(UserError, match=r"^inner.height is no field that this version knows: .*newer.yaml\)$"):
        parse("--config", tmp_path / "newer.yaml")
    with pytest.raises(
        UserError, match=r"^inner.height is no field that this version knows: .*\(in run/config.yaml\)$"
    ):
        command_line.from_values(Arguments, {"path": "x", "inner": {"height": 3}}, "run/config.yaml")


def test_modes_have_a_help_each_and_that_of_the_default_names_the_others(capsys):
    for argv, shown in ((["copy", "--help"], "Copies it."), (["--help"], "Counts all. There is copy, too.")):
        with pytest.raises(SystemExit):
            run_mode(*argv)
        assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no space left on the device; make room"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "a.png"), "the disk quota is used up; make room"),
        (RuntimeError(f"while saving: {os.strerror(errno.ENOSPC)}"), "no space left on the device; make room"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "out/a.png"), "'out/a.png': Permission denied"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "out"), "'out': Read-only file system"),
        (OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), "out"), "'out': File name too long"),
    ],
)
def test_what_cannot_be_written_is_one_line_wherever_it_is_noticed(error, sentence, capsys):
    def fail(arguments):
        raise error

    assert command_line.main(Arguments, fail, "tool", argv=["--path", "x"]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith(f"tool: error: {sentence}")
    assert captured.count("\n") == 1


_PROGRAM = """
import atexit, gc, sys
from dataclasses import dataclass
from stargan_tf.base import command_line

@dataclass(frozen=True)
class Arguments:
    'Nothing.'

class Garbage:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("garbage was looked for")

def run(arguments):
    gc.disable()
    Garbage()
    atexit.register(print, "handlers run")
    sys.stdout.write("all is flushed, ")
    return 7

code = command_line.main(Arguments, run, "program", argv=[])
print("the caller goes on")
sys.exit(code)
"""


def test_a_program_ends_without_looking_for_garbage():
    """After training that takes as long as a minute, and a signal leaves less."""
    process = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stderr == ""
    assert process.stdout == "all is flushed, the caller goes on\nhandlers run\n"
    assert process.returncode == 7


@pytest.mark.parametrize(("text", "printed"), [("猫.png", r"\u732b.png"), (os.fsdecode(b"caf\xe9"), r"caf\udce9")])
def test_what_the_terminal_cannot_show_is_escaped(text, printed, monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), "latin-1"))
    assert command_line.main(Arguments, lambda arguments: print(arguments.path), "tool", argv=["--path", text]) == 0
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue().decode() == printed + "\n"
