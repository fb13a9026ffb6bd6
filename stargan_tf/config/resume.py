"""Whether a run is continued with the configuration that it was started with."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stargan_tf.base.errors import UserError
from stargan_tf.config.fields import MAY_CHANGE, MAY_CHANGE_IF_ASKED
from stargan_tf.config.whole import Config, flatten

# By dotted name of a field its values: that of the run, and that asked for now.
Changes = dict[str, tuple[Any, Any]]


def check_same_run(saved: Config, config: Config, run: Path, allow_changes: bool = False) -> Changes:
    """Checks that a run is continued with the configuration that it was started with.

    Args:
        saved: the configuration in the run directory.
        config: the one asked for now.
        run: the run directory, for the message.
        allow_changes: whether the fields marked by `MAY_CHANGE_IF_ASKED` may differ.

    Returns:
        Those of them that do.

    Raises:
        UserError: they differ in a field that may not.
    """
    changed = differences(flatten(saved), flatten(config))
    if_asked = set(changeable_fields(MAY_CHANGE_IF_ASKED))
    never = changed.keys() - if_asked
    if not never and (allow_changes or not changed):
        return changed
    problem = f"the run directory {str(run)!r} belongs to another configuration ({described(changed)})"
    if not never:
        raise UserError(
            f"{problem}; leave these settings as they are to resume, or give --allow_changes to go on with the new ones"
        )
    which = "these settings"
    if allow_changes:
        which = ", ".join(name for name in changed if name in never) + ", which --allow_changes does not let change,"
    raise UserError(f"{problem}; choose another directory, or leave {which} as they are to resume")


def differences(saved: Mapping[str, Any], values: Mapping[str, Any]) -> Changes:
    """Finds what makes a configuration that of another run, or of another part of it.

    Args:
        saved: values by dotted name, as `flatten` gives them, of the run; a field that it does not know, because an
            older version wrote it, does not count, nor does one of `images` that is None.
        values: those asked for now.

    Returns:
        The fields that differ, those marked by `MAY_CHANGE` left out.
    """
    may_change = set(changeable_fields(MAY_CHANGE))
    return {
        name: (_plain(saved[name]), _plain(value))
        for name, value in values.items()
        if name in saved
        and name not in may_change
        and _plain(saved[name]) != _plain(value)
        and not (name.startswith("images.") and saved[name] is None)
    }


def described(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Returns a phrase for each field that differs."""
    return "; ".join(f"{name} is {there} there and {now} now" for name, (there, now) in changes.items())


def changeable_fields(
    mark: Mapping[str, str] = MAY_CHANGE, section: Any = Config, prefix: str = "", of_section: Mapping[str, str] = {}
) -> Iterator[str]:
    """Yields the dotted names of the fields that may change when a run is resumed.

    Args:
        mark: `MAY_CHANGE` or `MAY_CHANGE_IF_ASKED`.
        section: a dataclass of settings, whose fields may be such dataclasses.
        prefix: the section's own name with a dot.
        of_section: how the section is marked; a field may be marked otherwise.
    """
    for field in dataclasses.fields(section):
        marked = dict(field.metadata or of_section)
        if dataclasses.is_dataclass(field.type):
            yield from changeable_fields(mark, field.type, f"{prefix}{field.name}.", marked)
        elif marked == mark:
            yield prefix + field.name


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
