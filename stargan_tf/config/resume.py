"""Whether a run is continued with the configuration that it was started with."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stargan_tf.base.errors import UserError
from stargan_tf.config.fields import MAY_CHANGE
from stargan_tf.config.whole import Config, flatten


def check_same_run(saved: Config, config: Config, run: Path) -> None:
    """Checks that a run is continued with the configuration that it was started with.

    Args:
        saved: the configuration in the run directory.
        config: the one asked for now.
        run: the run directory, for the message.

    Raises:
        UserError: they differ in a field that is not marked by `MAY_CHANGE`.
    """
    changed = differences(flatten(saved), flatten(config))
    if changed:
        raise UserError(
            f"the run directory {str(run)!r} belongs to another configuration ({'; '.join(changed)}); "
            "choose another directory, or leave these settings as they are to resume"
        )


def differences(saved: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Says what makes a configuration that of another run.

    Args:
        saved: values by dotted name, as `flatten` gives them, of the run; a field that it does not know, because an
            older version wrote it, does not count, nor does one of `images` that is None.
        values: those asked for now.

    Returns:
        A phrase for each field that differs and may not change from one part of a run to the next.
    """
    may_change = set(changeable_fields())
    return [
        f"{name} is {_plain(saved[name])} there and {_plain(value)} now"
        for name, value in values.items()
        if name in saved
        and name not in may_change
        and _plain(saved[name]) != _plain(value)
        and not (name.startswith("images.") and saved[name] is None)
    ]


def changeable_fields(section: Any = Config, prefix: str = "") -> Iterator[str]:
    """Yields the dotted names of the fields that may change when a run is resumed.

    Args:
        section: a dataclass of settings, whose fields may be such dataclasses.
        prefix: the section's own name with a dot.
    """
    for field in dataclasses.fields(section):
        if dataclasses.is_dataclass(field.type):
            yield from changeable_fields(field.type, f"{prefix}{field.name}.")
        elif MAY_CHANGE.items() <= field.metadata.items():
            yield prefix + field.name


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
