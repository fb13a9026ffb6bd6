"""How flags are spelled.

jsonargparse knows no dashes in flags, no switches without a value, no lists without brackets, and choices by one
spelling only; these are put right before it sees them.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from stargan_tf.base.errors import UserError, without_password


def completed(argv: Sequence[str], arguments_type: type) -> list[str]:
    """Returns a command line as jsonargparse takes it.

    Args:
        argv: the arguments, without the program's name.
        arguments_type: the dataclass whose fields the flags set.
    """
    words = _complete_switches(_underscored(argv), arguments_type)
    return _bracketed_lists(_spelled_choices(words, arguments_type), arguments_type)


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


def _spelled_choices(argv: Sequence[str], arguments_type: type) -> list[str]:
    """Lets `--format PNG` stand for `--format png`, and `jpg` for `jpeg`."""
    choices = {f"--{name}": known for name, kind in dotted_fields(arguments_type) if (known := _texts_of_choice(kind))}
    spelled: list[str] = []
    for argument in argv:
        flag, equals, value = argument.partition("=")
        if flag in choices and equals:
            argument = f"{flag}={_spelled(value, choices[flag])}"
        elif spelled and spelled[-1] in choices:
            argument = _spelled(argument, choices[spelled[-1]])
        spelled.append(argument)
    return spelled


def _texts_of_choice(kind: Any) -> list[str]:
    """Returns the texts among which a field is a choice; none if it is something else."""
    if get_origin(kind) is Literal:
        return [option for option in get_args(kind) if isinstance(option, str)]
    return [text for option in get_args(kind) for text in _texts_of_choice(option) if get_origin(option) is Literal]


def _spelled(value: str, choices: Sequence[str]) -> str:
    """Returns the choice that a value means, or the value itself if it means none."""
    small = value.lower()
    found = [choice for choice in choices if choice.lower() in (small, {"jpg": "jpeg"}.get(small))]
    return found[0] if len(found) == 1 and value not in choices else value


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


def refuse_stores(arguments_type: Any, values: Any) -> None:
    """Refuses places on a store, as `s3://bucket/x`, of which a `Path` would make a folder named `s3:`.

    Args:
        arguments_type: a dataclass; it, a base of it, or a section may list in `SCHEMES` which of its fields take
            values with a scheme.
        values: of the fields, which it has by dotted names.

    Raises:
        UserError: another field has one, or an address that is no server's has a password in it.
    """
    allowed = set(fields_with_schemes(arguments_type))
    for name, _ in dotted_fields(arguments_type):
        value = values[name]
        for text in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(text, str) or not re.match(r"[a-zA-Z][\w+.:-]*://", text):
                continue
            if name not in allowed:
                raise UserError(f"--{name} is {without_password(text)}, which is on a store; it must be a local path")
            if (hidden := without_password(text)) != text and not text.startswith("http"):
                raise UserError(
                    f"--{name} is {hidden} with a password in it, which would be written where it is noted; give it "
                    "by the environment or fsspec's configuration"
                )


def fields_with_schemes(arguments_type: Any, prefix: str = "") -> Iterator[str]:
    """Yields the dotted names of the fields that take values with a scheme, see `refuse_stores`."""
    for kind in arguments_type.__mro__:
        yield from (prefix + name for name in vars(kind).get("SCHEMES", ()))
    for field in dataclasses.fields(arguments_type):
        if dataclasses.is_dataclass(field.type):
            yield from fields_with_schemes(field.type, f"{prefix}{field.name}.")


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
