"""What the modes have in common: flags, checks of the command line, and the networks of the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PIL import Image

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.config import Config
from stargan_tf.data.images import to_png
from stargan_tf.inference import provenance, style_file
from stargan_tf.inference.inputs import REJECTED_FILE, ImageReader, find_references, known_domain
from stargan_tf.inference.style_file import Style
from stargan_tf.runs import checkpoint_choice, named_runs, run_directory
from stargan_tf.runs.checkpoint_choice import CheckpointChoice

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator


@dataclass(frozen=True)
class SharedArguments(CheckpointChoice):
    """Flags of every mode.

    Args:
        run: run directory of a trained model, a packed run, or `leaves`, which is shipped.
        source: image to translate, or folder of images; folders in it are searched as well.
        output: directory to write, which must not exist or be empty.
        references: references used of each domain, at most, evenly spread over its images.
        batch_size: images translated at once; fewer need less memory.
        provenance: whether what is written says in its metadata that it is synthetic, and what made it.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("run",)  # may lie on a store

    run: str
    source: str
    output: str
    references: PositiveInt = 4
    batch_size: PositiveInt = 16
    provenance: bool = True


def check_output(output: str) -> None:
    """Raises UserError if something would be written over."""
    if run_directory.is_occupied(Path(output)):
        raise UserError(f"--output {output!r} exists and is not empty; choose a new directory")


def check_run(arguments: SharedArguments) -> Config:
    """Finds what is missing in the run before TensorFlow is imported; returns its configuration."""
    return checkpoint_choice.check_run(named_runs.find(arguments.run, arguments.checkpoint), arguments.checkpoint)


def check_styles(paths: Sequence[str], config: Config) -> None:
    """Raises UserError if a style file cannot be of a run; its networks are compared when they are loaded."""
    for path in paths:
        style_file.load_for(Path(path), domains_of(config), config.model.style_dim)


def check_seeds(flag: str, first: int, count: int = 1) -> None:
    """Raises UserError if one of `count` seeds from `first` on is too large."""
    if first + count > 2**63:
        raise UserError(f"--{flag} is {first}; seeds must be whole numbers below 2^63")


def domains_of(config: Config) -> tuple[str, ...]:
    """Returns the domains of a run."""
    assert config.domains is not None, "a run's configuration has its domains"
    return config.domains


def save_picture(picture: Image.Image, path: Path, metadata: bytes | None) -> None:
    """Writes a picture as PNG, with what `provenance.packet` made, if anything; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = to_png(picture)
    path.write_bytes(image if metadata is None else provenance.marked(image, metadata))


def metadata(
    arguments: SharedArguments, translator: "Translator", styles: Sequence[Style], mixed: bool = False
) -> bytes | None:
    """Returns the metadata of a picture that shows styles, if --provenance asks for them."""
    told = [provenance.style(style.domain, style.origin, style.code) for style in styles]
    return provenance.packet(told, translator.fingerprint, mixed=mixed) if arguments.provenance else None


def read_references(
    arguments: SharedArguments, config: Config, sources: Sequence[Path], domains: Sequence[str], reference: str | None
) -> tuple[dict[str, list[tuple[Path, np.ndarray]]], ImageReader]:
    """Reads the references, when it is known that some source can be read, and makes the output directory.

    Args:
        arguments: the command line.
        config: of the run.
        sources: the images to translate.
        domains: to translate into.
        reference: where the references are, if there are any.

    Returns:
        By domain the paths and images of the references, and what reads the sources.

    Raises:
        UserError: there are no references, or no image that can be read.
    """
    output = Path(arguments.output)
    found = {} if reference is None else find_references(Path(reference), domains, arguments.references)
    reader = ImageReader(config.model.size, config.images.known(), output / REJECTED_FILE)
    reader.check_some_readable(sources, f"the {len(sources)} sources")
    references = reader.read_references(found)
    output.mkdir(parents=True, exist_ok=True)
    return references, reader


def load_translator(arguments: SharedArguments) -> "Translator":
    """Loads the networks of a run; only here TensorFlow is imported, which takes seconds.

    Raises:
        UserError: it is not a run directory, or has no such checkpoint yet.
    """
    with command_line.quiet_start():
        from stargan_tf.inference.translator import Translator

        run = named_runs.find(arguments.run, arguments.checkpoint)
        return Translator.from_run(run, arguments.batch_size, arguments.checkpoint)


def target_domains(domains: tuple[str, ...], names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns those asked for of a run's domains, without repetition, or all.

    Raises:
        UserError: one is unknown.
    """
    if names is None:
        return domains
    return tuple(dict.fromkeys(known_domain(name, domains) for name in names))
