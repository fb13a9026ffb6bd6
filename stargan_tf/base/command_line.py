"""Typed command lines from dataclasses: flags, `--config FILE.yaml`, help, and errors of one sentence."""

import contextlib
import dataclasses
import functools
import itertools
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args, get_origin

from jsonargparse import ActionConfigFile, ArgumentError, ArgumentParser, Namespace

from stargan_tf.base import ranges
from stargan_tf.base.errors import UserError

Arguments = TypeVar("Arguments")

USER_ERROR_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130  # what shells report for SIGINT

# How the types of fields are called in errors.
_TYPES = {
    r", tuple\[int, int\]": " or [height, width]",
    r"^tuple\[int, int\]": "two whole numbers in brackets, like [1, 2]",
    r"\btuple with 2 elements\b": "two values in brackets, like [1, 2]",
    r"\blist\[int\]": "whole numbers, like 1 2 3",
    r"\blist\[float\]": "numbers, like 0.5 1",
    r"\bint\b": "a whole number",
    r"\bfloat\b": "a number",
    r"\bbool\b": "true or false",
    r", NoneType\b": " or null",
}


@dataclass(frozen=True)
class Mode:
    """One of the things that a command does, named by its first word.

    Args:
        arguments_type: a dataclass with the arguments of this mode.
        run: does the work; may return an exit code.
        description: the text shown in the help.
    """

    arguments_type: type
    run: Callable[[Any], int | None]
    description: str


def main(
    arguments_type: type[Arguments],
    command: Callable[[Arguments], int | None],
    program: str,
    description: str | None = None,
    argv: Sequence[str] | None = None,
    defaults: Callable[[Arguments], Mapping[str, Any]] | None = None,
) -> int:
    """Runs a command: parses its arguments, and tells a user's mistake in one sentence.

    Args:
        arguments_type: a dataclass with the command's arguments.
        command: does the work; may return an exit code.
        program: the name shown in help and errors.
        description: the text shown in the help.
        argv: the arguments without the program's name; by default those of the process.
        defaults: gives values by dotted field name, weaker than files and flags, that depend on the arguments.

    Returns:
        The exit code: what `command` returned, 2 for a user's mistake, 130 after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv

    def run() -> int | None:
        values: Mapping[str, Any] = {}
        if defaults is not None:
            # Printing must wait until the defaults are known.
            to_parse = [argument for argument in argv if not argument.startswith("--print_config")]
            values = defaults(parse(arguments_type, to_parse, program, description))
        return command(parse(arguments_type, argv, program, description, values))

    return _exit_code(run, program)


def main_of_modes(
    modes: Mapping[str, Mode],
    program: str,
    description: str,
    argv: Sequence[str] | None = None,
    default: str | None = None,
) -> int:
    """Runs a command that does one of several things, each with flags of its own.

    Args:
        modes: by the word that names them.
        program: the name shown in help and errors.
        description: the text shown in the help; `default` shows it after its own.
        argv: the arguments without the program's name; by default those of the process.
        default: the mode whose name may be left out.

    Returns:
        The exit code, as that of `main`.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    programs = {name: f"{program} {name}" for name in modes}
    descriptions = {name: mode.description for name, mode in modes.items()}
    if default is not None and (not argv or argv[0].startswith("-")):
        argv = [default, *argv]
        programs[default] = program
        descriptions[default] += f" {description}"

    def run() -> int | None:
        parser = ArgumentParser(prog=program, description=description, exit_on_error=False)
        subcommands = parser.add_subcommands(dest="mode")
        parsers = {}
        for name, mode in modes.items():
            parsers[name] = _parser(mode.arguments_type, "", descriptions[name], config_files=True)
            subcommands.add_subcommand(name, parsers[name], help=mode.description)
            parsers[name].prog = programs[name]  # jsonargparse would put "[options]" before the name
        with _one_sentence_errors(argv, programs.get(argv[0], program) if argv else program):
            known = modes.get(argv[0]) if argv else None
            words = argv if known is None else [argv[0], *_completed(argv[1:], known.arguments_type)]
            values = parser.parse_args(words)
        mode = modes[values.mode]
        return mode.run(
            _instance(mode.arguments_type, parsers[values.mode], values[values.mode], ", ".join(_config_files(argv)))
        )

    return _exit_code(run, programs.get(argv[0], program) if argv else program)


def _exit_code(run: Callable[[], int | None], program: str) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters to a user is raised, not logged
    try:
        return run() or 0
    except UserError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE


def parse(
    arguments_type: type[Arguments],
    argv: Sequence[str],
    program: str,
    description: str | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Arguments:
    """Turns a command line into an instance of a dataclass.

    Fields may be dataclasses themselves; their fields are set with dotted flags (`--model.style_dim 32`). The order of
    precedence, weakest first: defaults of the dataclass, `defaults`, files given with `--config`, flags.

    Args:
        arguments_type: a dataclass; its docstring's `Args:` section becomes the help.
        argv: the arguments, without the program's name.
        program: the name shown in the help.
        description: the text shown in the help.
        defaults: values by dotted field name.

    Returns:
        An instance of `arguments_type`.

    Raises:
        UserError: an unknown flag, a value of the wrong type or out of its range, a missing value, or an unreadable
            configuration file.
        SystemExit: after `--help` and `--print_config`, which print and are done.
    """
    parser = _parser(arguments_type, program, description, config_files=True)
    with _one_sentence_errors(argv, program):
        if defaults:
            parser.set_defaults(dict(defaults))
        values = parser.parse_args(_completed(argv, arguments_type))
    return _instance(arguments_type, parser, values, ", ".join(_config_files(argv)))


def from_values(arguments_type: type[Arguments], values: Any, source: str) -> Arguments:
    """Turns nested values, as a YAML file has them, into an instance of a dataclass; what is left out has its default.

    Args:
        arguments_type: the dataclass.
        values: by name; sections are mappings themselves.
        source: where the values come from, for errors.

    Returns:
        An instance of `arguments_type`.

    Raises:
        UserError: an unknown name, or a value of the wrong type or out of its range.
    """
    if not isinstance(values, dict):
        raise UserError(f"{source} has {values!r}; it must have values by name")
    parser = _parser(arguments_type)
    try:
        parsed = parser.parse_object(values)
    except ArgumentError as error:
        raise UserError(f"{_one_sentence(str(error))} (in {source})") from error
    return _instance(arguments_type, parser, parsed, source)


def check_ranges(arguments: Any, prefix: str = "") -> None:
    """Checks every field of a dataclass instance by its type, as if it had come from the command line.

    Args:
        arguments: the instance, made in Python.
        prefix: put before names in errors, like `model.` for a section.

    Raises:
        UserError: the first value that is out of its range or of the wrong type.
    """
    try:
        parsed = _parser_for_checks(cast(Hashable, type(arguments))).parse_object(dataclasses.asdict(arguments))
    except ArgumentError as error:
        message = _one_sentence(str(error))
        if found := re.match(r"--([\w.]+) is .*?; it must be (.*)", message):
            # With the whole value, where jsonargparse names an item of a list.
            value = functools.reduce(getattr, found[1].split("."), arguments)
            message = f"--{prefix}{found[1]} is {value}; it must be {found[2]}"
        raise UserError(message) from error
    _refuse_nulls(type(arguments), parsed, prefix)


def _parser(
    arguments_type: type, program: str = "", description: str | None = None, config_files: bool = False
) -> ArgumentParser:
    parser = ArgumentParser(prog=program, description=description, exit_on_error=False)
    if config_files:
        parser.add_argument("--config", action=ActionConfigFile, help="YAML file with values for any of the flags.")
    parser.add_class_arguments(arguments_type)
    return parser


@functools.cache
def _parser_for_checks(arguments_type: Hashable) -> ArgumentParser:
    return _parser(cast(type, arguments_type))


@contextlib.contextmanager
def _one_sentence_errors(argv: Sequence[str], program: str) -> Iterator[None]:
    try:
        yield
    except ArgumentError as error:
        message = _one_sentence(str(error))
        if argv and message.startswith("missing: "):
            message = message.replace(f"--{argv[0]}.", "--")  # jsonargparse names the mode here, and only here
        if message.startswith(("Problems parsing config", "Unexpected config")):  # jsonargparse leaves out which
            message += f" ({', '.join(_config_files(argv))})"
        raise UserError(f"{message}; `{program} --help` lists the flags") from error


def _instance(arguments_type: Any, parser: ArgumentParser, values: Namespace, source: str) -> Any:
    """Makes an instance of what was parsed.

    Raises:
        UserError: a file has one value in place of several by name, which jsonargparse lets pass.
    """
    fields = dataclasses.fields(arguments_type)
    for field in fields:
        if dataclasses.is_dataclass(field.type) and not isinstance(values[field.name], Namespace):
            names = [inner.name for inner in dataclasses.fields(field.type)]
            raise UserError(
                f"{field.name} is {json.dumps(values[field.name])} in {source}; it must be a section with any of "
                f"{', '.join(names)}"
            )
    _refuse_nulls(arguments_type, values)
    instances = parser.instantiate(values)
    return arguments_type(**{field.name: instances[field.name] for field in fields})


def _refuse_nulls(arguments_type: type, values: Namespace, prefix: str = "") -> None:
    """Raises UserError where a value is missing that must not be, which jsonargparse lets pass."""
    for name, kind in _fields(arguments_type):
        if values[name] is None and kind is not Any and type(None) not in get_args(kind):
            raise UserError(f"--{prefix}{name} is null; it must have a value")


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Hides what libraries written in C++ print while they start, unless they fail.

    TensorFlow writes several lines to the process's standard error when it is imported and when it first looks for
    devices, whatever its log level; between a user and an error of one sentence they are in the way.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden, contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)


# jsonargparse knows no dashes in flags, no switches without a value, and no lists without brackets.
def _completed(argv: Sequence[str], arguments_type: type) -> list[str]:
    """Returns a command line as jsonargparse takes it."""
    return _bracketed_lists(_complete_switches(_underscored(argv), arguments_type), arguments_type)


def _underscored(argv: Sequence[str]) -> list[str]:
    """Lets `--mean-landmarks` stand for `--mean_landmarks`."""
    flags = [argument.partition("=") for argument in argv]
    return [
        "--" + name[2:].replace("-", "_") + equals + value if name.startswith("--") else argument
        for argument, (name, equals, value) in zip(argv, flags, strict=True)
    ]


def _complete_switches(argv: Sequence[str], arguments_type: type) -> list[str]:
    """Lets `--overwrite` stand for `--overwrite true`."""
    switches = {f"--{name}" for name, kind in _fields(arguments_type) if kind is bool}
    return [
        f"{argument}=true" if argument in switches and (not rest or rest[0].startswith("-")) else argument
        for argument, rest in ((argument, argv[index + 1 :]) for index, argument in enumerate(argv))
    ]


def _bracketed_lists(argv: Sequence[str], arguments_type: type) -> list[str]:
    """Lets `--psi 0.5 0.7` stand for `--psi [0.5, 0.7]`, and for lists of text `--style a.json` for `["a.json"]`."""
    items = {f"--{name}": item for name, item in _list_fields(arguments_type)}
    apart = []
    for argument in argv:
        name, equals, value = argument.partition("=")
        apart += [name, value] if name in items and equals else [argument]
    complete: list[str] = []
    flag = ""
    for is_flag, group in itertools.groupby(apart, key=lambda argument: argument.startswith("--")):
        words = list(group)
        if is_flag or flag not in items or words[0].startswith("[") or words == ["null"]:
            complete += words
        else:
            numbers = issubclass(items[flag], int | float)
            complete.append(f"[{', '.join(words if numbers else map(json.dumps, words))}]")
        flag = words[-1]
    return complete


def _list_fields(arguments_type: type) -> Iterator[tuple[str, Any]]:
    """Yields the names of fields that are lists, or tuples of any length, with the type of their items."""
    for name, kind in _fields(arguments_type):
        for option in (kind, *get_args(kind)):
            if get_origin(option) is list or (get_origin(option) is tuple and get_args(option)[1:] == (...,)):
                yield name, get_args(option)[0]


def _fields(arguments_type: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted names of all fields, those of sections included, with their types."""
    for field in dataclasses.fields(arguments_type):
        if dataclasses.is_dataclass(field.type):
            yield from _fields(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field.type


def _config_files(argv: Sequence[str]) -> list[str]:
    """Returns the files that `--config` names."""
    apart = [value for flag, value in itertools.pairwise(argv) if flag == "--config"]
    return apart + [flag.removeprefix("--config=") for flag in argv if flag.startswith("--config=")]


def _one_sentence(message: str) -> str:
    """Says in a user's words, on one line, what jsonargparse says in a list for programmers."""
    message = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", " ".join(message.split()).rstrip("."))
    if mode := re.match(r"argument mode: invalid choice: (.*) \(choose from (.*)\)", message):
        return f"there is no mode {mode[1]}; choose " + mode[2].replace("'", "")
    if missing := re.match(r"the following arguments are required: (.*)", message):
        return "missing: " + ", ".join(f"--{name}" for name in missing[1].split(", "))
    key = re.match(r'Parser key "([\w.]+)": (.*)', message)
    if key is None:
        return message
    name, problem = key.groups()
    mistake = _mistake(problem)
    return f"--{name}: {problem}" if mistake is None else "--{} is {}; it must be {}".format(name, *mistake)


def _mistake(problem: str) -> tuple[str, str] | None:
    """Returns the value that jsonargparse complains of, as it is shown to a user, and what would be right."""
    if union := re.search(r"Subtypes: \[(.*?)\] Errors: .* Given value: (.*)", problem):
        expected, value = union[1], union[2]
    elif single := re.match(r"(?:Expected an?|Not of type) (.*?)[.:] Got value: (.*)", problem):
        expected, value = single[1], single[2]
        if literal := re.fullmatch(r"typing\.Literal\[(.*)\]", expected):
            expected = "one of " + literal[1].replace("'", "")
    elif section := re.match(r"Unable to load config [\"'](.*?)[\"'](?: - |$)", problem):
        expected, value = "a section, or a file with one", section[1]
    else:
        return None
    # Numbers that are out of range need no quotation marks.
    in_words = ranges.in_words(expected, value)
    shown = value if in_words != expected and re.fullmatch(r"-?[\d.e+-]+|-?inf|nan", value) else repr(value)
    for type_name, meaning in _TYPES.items():
        in_words = re.sub(type_name, meaning, in_words)
    return shown, in_words
