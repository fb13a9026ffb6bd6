"""How flags are spelled.

jsonargparse knows no dashes in flags, no switches without a value, and no lists without brackets; these are put right
before it sees them.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin


def completed(argv: Sequence[str], arguments_type: type) -> list[str]:
    """Returns a command line as jsonargparse takes it.

    Args:
        argv: the arguments, without the program's name.
        arguments_type: the dataclass whose fields the flags set.
    """
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
    switches = {f"--{name}" for name, kind in dotted_fields(arguments_type) if kind is bool}
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
            numbers = isinstance(items[flag], type) and issubclass(items[flag], int | float)
            complete.append(f"[{', '.join(words if numbers else map(json.dumps, words))}]")
        flag = words[-1]
    return complete


def _list_fields(arguments_type: type) -> Iterator[tuple[str, Any]]:
    """Yields the names of fields that are lists, or tuples of any length, with the type of their items."""
    for name, kind in dotted_fields(arguments_type):
        for option in (kind, *get_args(kind)):
            if get_origin(option) is list or (get_origin(option) is tuple and get_args(option)[1:] == (...,)):
                yield name, get_args(option)[0]


def dotted_fields(arguments_type: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted names of all fields, those of sections included, with their types."""
    for field in dataclasses.fields(arguments_type):
        if dataclasses.is_dataclass(field.type):
            yield from dotted_fields(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field.type


def without_removed_fields(values: Any, arguments_type: Any) -> Any:
    """Returns what a file holds without the fields that its dataclass, or one in it, lists in `REMOVED`."""
    if not isinstance(values, dict):
        return values
    kept = {name: value for name, value in values.items() if name not in getattr(arguments_type, "REMOVED", ())}
    for field in dataclasses.fields(arguments_type):
        if dataclasses.is_dataclass(field.type) and field.name in kept:
            kept[field.name] = without_removed_fields(kept[field.name], field.type)
    return kept


def config_files(argv: Sequence[str]) -> list[str]:
    """Returns the files that `--config` names."""
    apart = [value for flag, value in itertools.pairwise(argv) if flag == "--config"]
    return apart + [flag.removeprefix("--config=") for flag in argv if flag.startswith("--config=")]
