"""What the modes of `sample` have in common: checks of their command lines, and the networks of the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.runs import run_directory

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator


def check_output(output: str) -> None:
    """Raises UserError if something would be written over."""
    if run_directory.is_occupied(Path(output)):
        raise UserError(f"--output {output!r} exists and is not empty; choose a new directory")


def load_translator(run: str, batch_size: int, checkpoint: str) -> "Translator":
    """Loads the networks of a run; only here TensorFlow is imported, which takes seconds.

    Raises:
        UserError: it is not a run directory, or has no such checkpoint yet.
    """
    with command_line.quiet_start():
        from stargan_tf.inference.translator import Translator

        return Translator.from_run(Path(run), batch_size, checkpoint)


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
