"""Typed command lines from dataclasses: flags, `--config FILE.yaml`, help, and errors of one sentence."""

import contextlib
import dataclasses
import functools
import io
import json
import os
import re
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

import yaml
from jsonargparse import ActionConfigFile, ArgumentError, ArgumentParser, Namespace

from stargan_tf.base import stand_ins
from stargan_tf.base.errors import SIGNAL_EXIT_CODE, ExitCode, UserError, without_password
from stargan_tf.base.flags import completed, config_files, dotted_fields, refuse_stores, without_removed_fields
from stargan_tf.base.parser_errors import one_sentence
from stargan_tf.base.process import garbage, signals

Arguments = TypeVar("Arguments")

# Of what may work later: a name that cannot be looked up now, a machine that does not answer.
_OUT_OF_REACH = (ConnectionError, TimeoutError, socket.gaierror)


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
        The exit code: what `command` returned, that of a `UserError`, or 128 + N after signal N.
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
    noun: str = "mode",
) -> int:
    """Runs a command that does one of several things, each with flags of its own.

    Args:
        modes: by the word that names them.
        program: the name shown in help and errors.
        description: the text shown in the help; `default` shows it after its own.
        argv: the arguments without the program's name; by default those of the process.
        default: the mode whose name may be left out.
        noun: what the modes are called in errors.

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
        subcommands = parser.add_subcommands(dest=noun)
        parsers = {}
        for name, mode in modes.items():
            parsers[name] = _parser(mode.arguments_type, "", descriptions[name], config_files=True)
            subcommands.add_subcommand(name, parsers[name], help=mode.description)
            parsers[name].prog = programs[name]  # jsonargparse would put "[options]" before the name
        with _one_sentence_errors(argv, programs.get(argv[0], program) if argv else program):
            known = modes.get(argv[0]) if argv else None
            words = argv if known is None else [argv[0], *completed(argv[1:], known.arguments_type)]
            values = parser.parse_args(words)
        name = values[noun]
        source = ", ".join(config_files(argv))
        return modes[name].run(_instance(modes[name].arguments_type, parsers[name], values[name], source))

    return _exit_code(run, programs.get(argv[0], program) if argv else program)


def _exit_code(run: Callable[[], int | None], program: str) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters to a user is raised, not logged
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # or the first program takes all memory of a GPU
    garbage.end_at_once()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files and domains may have any letters, or bytes
    try:
        with signals.raised(program):
            code = run() or ExitCode.DONE
            sys.stdout.flush()
            return code
    except (KeyboardInterrupt, signals.Terminated) as error:
        return _ended_by_signal(error, program)
    except Exception as error:
        if interruption := _interruption_below(error):
            return _ended_by_signal(interruption, program)
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is printed at the end
            return SIGNAL_EXIT_CODE + signal.SIGPIPE
        if (told := _told(error)) is None:
            raise
        problem, code = told
        print(f"{program}: error: {without_password(stand_ins.told(problem))}", file=sys.stderr)
        return code


def _ended_by_signal(interruption: BaseException, program: str) -> int:
    terminated = isinstance(interruption, signals.Terminated)
    print(f"{program}: {'ended by SIGTERM' if terminated else 'interrupted'}", file=sys.stderr)
    return SIGNAL_EXIT_CODE + (signal.SIGTERM if terminated else signal.SIGINT)


def _interruption_below(error: BaseException | None) -> BaseException | None:
    """Returns the interruption that made an error, if one did: Beam makes errors of its own of all that it meets."""
    while error is not None and not isinstance(error, KeyboardInterrupt | signals.Terminated):
        error = error.__cause__ or error.__context__
    return error


def _told(error: Exception) -> tuple[str, int] | None:
    """Returns the sentence and the exit code of an error that is not one of this project's mistakes; else None."""
    if isinstance(error, UserError):
        return str(error), error.exit_code
    from stargan_tf.base.writing import unwritable  # brings NumPy, which --help does without

    if problem := unwritable(error):
        return problem, ExitCode.MISTAKE
    if problem := out_of_memory(error):
        return f"{problem}; work on fewer images at once (a smaller --batch_size, where there is one)", ExitCode.MISTAKE
    if isinstance(error, OSError) and "://" in str(error.filename):  # what a store says
        return f"{error.filename}: {error.strerror}", ExitCode.MISTAKE
    if isinstance(error, _OUT_OF_REACH):
        return f"a server is out of reach ({error}); give the same command again later", ExitCode.TRY_AGAIN
    return None


def _nobody_reads() -> bool:
    """Returns whether what reads this process's output has ended, as `head` does when it has its lines."""
    try:
        output = select.poll()
        output.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # it is no file
        return False
    return bool(output.poll(0))


def out_of_memory(error: Exception) -> str | None:
    """Returns what an error says of memory that does not suffice; None if it says no such thing."""
    tensorflow = sys.modules.get("tensorflow")
    if isinstance(error, MemoryError):
        return f"the memory of this machine is used up ({error or 'no more could be had'})"
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return None
    text = str(error)
    if not ("OOM" in text or "out of memory" in text.lower()):  # a full disk is another resource that is exhausted
        return None
    if not (found := re.search(r"OOM when allocating tensor with shape\s*(\[[\d,]*\])[^\n]*?device:(\w+:\d+)", text)):
        return f"the memory of a device is used up ({text.partition(chr(10))[0]})"
    return f"the memory of {found[2]} is used up (there was none for values of shape {found[1]})"


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
        values = parser.parse_args(completed(argv, arguments_type))
    return _instance(arguments_type, parser, values, ", ".join(config_files(argv)))


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
        parsed = parser.parse_object(without_removed_fields(values, arguments_type))
    except ArgumentError as error:
        raise UserError(f"{_of_newer_version(one_sentence(str(error)))} (in {source})") from error
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
        message = one_sentence(str(error))
        if found := re.match(r"--([\w.]+) is .*?; it must be (.*)", message):
            # With the whole value, where jsonargparse names an item of a list.
            value = functools.reduce(getattr, found[1].split("."), arguments)
            message = f"--{prefix}{found[1]} is {value}; it must be {found[2]}"
        raise UserError(message) from error
    _refuse_nulls(type(arguments), parsed, prefix)


class _FileParser(ArgumentParser):
    """A parser of flags, and of files that earlier versions may have written."""

    arguments_type: type

    def parse_string(self, content: str, *args: Any, **kwargs: Any) -> Namespace:
        """Parses what a file holds, but for fields that are gone."""
        with contextlib.suppress(yaml.YAMLError):  # for jsonargparse to tell
            values = yaml.safe_load(content)
            kept = without_removed_fields(values, self.arguments_type)
            if kept != values:
                content = yaml.safe_dump(kept, sort_keys=False)
        return super().parse_string(content, *args, **kwargs)


def _parser(
    arguments_type: type, program: str = "", description: str | None = None, config_files: bool = False
) -> ArgumentParser:
    parser = _FileParser(prog=program, description=description, exit_on_error=False)
    parser.arguments_type = arguments_type
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
        message = one_sentence(str(error))
        if argv and message.startswith("missing: "):
            message = message.replace(f"--{argv[0]}.", "--")  # jsonargparse names the mode here, and only here
        if message.startswith(("Problems parsing config", "Unexpected config")):  # jsonargparse leaves out which
            message += f" ({', '.join(config_files(argv))})"
        if (told := _of_newer_version(message)) != message:
            raise UserError(f"{told} (in {', '.join(config_files(argv))})") from error
        raise UserError(f"{message}; `{program} --help` lists the flags") from error


def _of_newer_version(message: str) -> str:
    """Says of a field of a file that is not known what may have happened, where the help would not say it."""
    if unknown := re.match(r"Option '([\w.]+)' is not accepted$", message):
        return (
            f"{unknown[1]} is no field that this version knows: it is misspelt, or a newer version wrote the file; "
            "correct it, or install that version"
        )
    return message


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
    refuse_stores(arguments_type, values)
    instances = parser.instantiate(values)
    return arguments_type(**{field.name: instances[field.name] for field in fields})


def _refuse_nulls(arguments_type: type, values: Namespace, prefix: str = "") -> None:
    """Raises UserError where a value is missing that must not be, which jsonargparse lets pass."""
    for name, kind in dotted_fields(arguments_type):
        if values[name] is None and kind is not Any and type(None) not in get_args(kind):
            raise UserError(f"--{prefix}{name} is null; it must have a value")


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Hides what libraries written in C++ print while they start, unless they fail.

    TensorFlow writes several lines to the process's standard error when it is imported and when it first looks for
    devices, whatever its log level; between a user and an error of one sentence they are in the way. What matters among
    them, that it cannot use a GPU, is told in one line afterwards, once.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden, contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        os.dup2(hidden.fileno(), 2)
        try:
            with garbage.not_looked_for():
                yield
            unused = _unused_gpu() if "tensorflow" in sys.modules else None
        except BaseException:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
    if unused is not None and unused not in _TOLD:
        _TOLD.append(unused)
        print(f"note: {unused}", file=sys.stderr, flush=True)


_TOLD: list[str] = []


@functools.cache
def _unused_gpu() -> str | None:
    """Returns a sentence about a GPU that TensorFlow cannot use, for which it must be imported."""
    from stargan_tf.base.process.unused_gpu import unused_gpu

    return None if sys.modules["tensorflow"].config.list_physical_devices("GPU") else unused_gpu()
