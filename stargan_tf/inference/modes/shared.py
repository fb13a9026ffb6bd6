"""What the modes have in common: flags, checks of the command line, and the networks of the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoint_choice import CheckpointChoice

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator


@dataclass(frozen=True)
class SharedArguments(CheckpointChoice):
    """Flags of every mode.

    Args:
        run: run directory of a trained model.
        source: image to translate, or folder of images; folders in it are searched as well.
        output: directory to write, which must not exist or be empty.
        references: references used of each domain, at most, evenly spread over its images.
        batch_size: images translated at once; fewer need less memory.
    """

    run: str
    source: str
    output: str
    references: PositiveInt = 4
    batch_size: PositiveInt = 16


def check_output(output: str) -> None:
    """Raises UserError if something would be written over."""
    if run_directory.is_occupied(Path(output)):
        raise UserError(f"--output {output!r} exists and is not empty; choose a new directory")


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes a picture; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def load_translator(arguments: SharedArguments) -> "Translator":
    """Loads the networks of a run; only here TensorFlow is imported, which takes seconds.

    Raises:
        UserError: it is not a run directory, or has no such checkpoint yet.
    """
    with command_line.quiet_start():
        from stargan_tf.inference.translator import Translator

        return Translator.from_run(Path(arguments.run), arguments.batch_size, arguments.checkpoint)


def target_domains(translator: "Translator", names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the domains asked for, without repetition, or all.

    Raises:
        UserError: one is unknown.
    """
    if names is None:
        return translator.domains
    for name in names:
        translator.domain_index(name)
    return tuple(dict.fromkeys(names))
