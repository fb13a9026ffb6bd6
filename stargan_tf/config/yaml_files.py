"""Configurations as YAML files."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from stargan_tf.base.command_line import from_values
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text
from stargan_tf.config.whole import Config


def save(config: Config, path: Path) -> None:
    """Writes a configuration as YAML."""
    write_text(path, yaml.dump(dataclasses.asdict(config), Dumper=_PlainDumper, sort_keys=False))


class _PlainDumper(yaml.SafeDumper):
    """Writes tuples as lists."""

    def ignore_aliases(self, data: Any) -> bool:
        """Writes a value again where it occurs again, instead of a reference to it."""
        return True


_PlainDumper.add_representer(tuple, yaml.SafeDumper.represent_list)


def load(path: Path) -> Config:
    """Reads a configuration that `save` of this or an earlier version wrote, or one written by hand.

    Returns:
        The configuration; what the file leaves out has its default.

    Raises:
        UserError: the file is missing, is no YAML, or has a field or value that does not exist.
    """
    if not path.is_file():
        raise UserError(f"there is no configuration file {str(path)!r}")
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{str(path)!r} is no YAML file ({' '.join(str(error).split())})") from error
    return from_values(Config, values, str(path))
