"""The cycle check: images translated into another domain and back, and how much was lost."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from stargan_tf.base.command_line import check_ranges
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import file_name, file_names
from stargan_tf.base.progress import Progress
from stargan_tf.base.ranges import NonNegativeInt, PositiveInt, Share
from stargan_tf.base.writing import write_text
from stargan_tf.config import Config
from stargan_tf.data.images import evenly_spread, to_image
from stargan_tf.inference import fonts, grids, style_file
from stargan_tf.inference.inputs import (
    ImageReader,
    find_sources,
    known_domain,
    result_names,
)
from stargan_tf.inference.modes import shared
from stargan_tf.inference.modes.shared import SharedArguments
from stargan_tf.inference.style_file import Style

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator

DESCRIPTION = (
    "Translates images into other domains, and back in their own style, as the cycle consistency of training does "
    "(paper, equation 4). In OUTPUT are then output/DOMAIN/IMAGE.png, reconstruction/DOMAIN/IMAGE.png, cycle.png to "
    "look at, and cycle.json with the mean absolute difference of source and reconstruction, in the units of the loss: "
    "of values from -1 to 1."
)

RESULT_FILE = "cycle.json"
GRID_FILE = "cycle.png"


@dataclass(frozen=True)
class Arguments(SharedArguments):
    """The command line.

    Args:
        source_domain: domain of the sources; by default the name of the innermost folder that is that of a domain.
        domain: names of the domains to translate into, one or more; by default all.
        reference: folder with a folder of reference images for each domain, by its name, or with one --domain an image
            or a folder of images; each source gets the next of them. By default styles are drawn.
        seed: without references: of the style drawn for the first source; the next have the seeds that follow.
        psi: truncation of drawn styles; 1 for full variety, 0 for the mean style of the domain.
        grid_sources: sources shown in the grid, at most.
    """

    source_domain: str | None = None
    domain: list[str] | None = None
    reference: str | None = None
    seed: NonNegativeInt = 0
    psi: Share = 1.0
    grid_sources: PositiveInt = 8


@dataclass(frozen=True)
class Inputs:
    """What the command line names.

    Args:
        sources: the images to translate, at least one of which can be read, each with its domain.
        domains: to translate into.
        references: by domain the paths and images; empty without --reference.
        reader: reads the sources, and lists what cannot be read.
    """

    sources: dict[Path, str]
    domains: tuple[str, ...]
    references: dict[str, list[tuple[Path, np.ndarray]]]
    reader: ImageReader


def run(arguments: Arguments) -> None:
    """Translates there and back as the arguments say, and prints a table.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, a source of unknown domain, or no image that can be read.
    """
    check_ranges(arguments)
    shared.check_output(arguments.output)
    inputs = open_inputs(arguments, shared.check_run(arguments))
    there_and_back(shared.load_translator(arguments), inputs, arguments)


def open_inputs(arguments: Arguments, config: Config) -> Inputs:
    """Finds and reads what the arguments name, as far as that needs no networks.

    Args:
        arguments: the command line, checked.
        config: of the run.

    Returns:
        What was found.

    Raises:
        UserError: as `run`.
    """
    paths, known = find_sources(Path(arguments.source)), shared.domains_of(config)
    domains = shared.target_domains(known, arguments.domain)
    shared.check_seeds("seed", arguments.seed, len(paths))
    sources = {path: _domain_of(path, arguments.source_domain, known) for path in paths}
    references, reader = shared.read_references(arguments, config, paths, domains, arguments.reference)
    return Inputs(sources, domains, references, reader)


def there_and_back(translator: "Translator", inputs: Inputs, arguments: Arguments) -> None:
    """Translates there and back with networks that are loaded.

    Args:
        translator: of `arguments.run`.
        inputs: as `open_inputs` found them.
        arguments: the command line, checked.
    """
    output = Path(arguments.output)
    guide = Guide(translator, inputs.references, arguments.seed, arguments.psi)
    entries = _cycle(translator, inputs, guide, arguments)
    errors = _means(entries)
    result = {"step": translator.step, "networks": translator.fingerprint, "errors": errors, "images": entries}
    write_text(output / RESULT_FILE, json.dumps(result, indent=1) + "\n")
    for pair, error in errors.items():
        print(f"{pair:32} {error:.4f}")
    print(f"mean absolute difference of source and reconstruction, in values from -1 to 1; pictures in {output}")
    inputs.reader.report()


class Guide:
    """Gives each source a style of a domain: of the next reference, or of the next seed if there are no references.

    Args:
        translator: has the networks.
        references: by domain the paths and images; empty to draw styles.
        seed: of the style drawn for the first source.
        psi: truncation of drawn styles.
    """

    def __init__(
        self, translator: "Translator", references: dict[str, list[tuple[Path, np.ndarray]]], seed: int, psi: float
    ):
        self.references = references
        self._translator = translator
        self._seed, self._psi = seed, psi
        self._codes = {
            domain: translator.styles_from_references(np.stack([image for _, image in images]), domain)
            for domain, images in references.items()
        }
        self._origins = {
            domain: [style_file.reference_origin(path) for path, _ in images] for domain, images in references.items()
        }

    def styles(self, domain: str, numbers: Sequence[int]) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """Returns styles of a domain for the sources of these numbers, which follow each other, and where from."""
        if self.references:
            chosen = [number % len(self._codes[domain]) for number in numbers]
            return self._codes[domain][chosen], [self._origins[domain][index] for index in chosen]
        latents = self._translator.draw_latents(len(numbers), self._seed + numbers[0])
        codes = self._translator.styles_from_latents(latents, domain, self._psi)
        return codes, [{"seed": self._seed + number, "psi": self._psi} for number in numbers]

    def shown(self, domain: str, number: int) -> list[np.ndarray]:
        """Returns the reference that a source was given, if it was given one."""
        images = self.references.get(domain)
        return [] if images is None else [images[number % len(images)][1]]


def _domain_of(path: Path, given: str | None, domains: Sequence[str]) -> str:
    if given is not None:
        return known_domain(given, domains)
    folders = {file_name(domain): domain for domain in domains}
    for parent in path.resolve().parents:
        if parent.name in folders:
            return folders[parent.name]
    raise UserError(
        f"the folders of {str(path)!r} do not tell its domain; name it with --source_domain, one of "
        f"{', '.join(domains)}"
    )


def _cycle(translator: "Translator", inputs: Inputs, guide: Guide, arguments: Arguments) -> list[dict[str, Any]]:
    """Writes pictures and the grid; returns an entry for each source and target domain."""
    output, own_domains, paths, domains = Path(arguments.output), inputs.sources, list(inputs.sources), inputs.domains
    in_grid = set(evenly_spread(paths, arguments.grid_sources))
    rows: dict[str, list[list[Image.Image | np.ndarray]]] = {domain: [] for domain in domains}
    styles_shown: list[Style] = []
    labels: dict[str, list[str]] = {domain: [] for domain in domains}
    folders, names = file_names(translator.domains), result_names(paths, Path(arguments.source))
    entries, first = [], 0
    with Progress(len(paths) * len(domains), "there and back", "images") as progress:
        for batch in inputs.reader.batches(paths, translator.batch_size):
            if not batch:
                continue
            images = np.stack([image for _, image in batch])
            numbers = range(first, first + len(batch))
            first += len(batch)
            own = translator.encode_style(
                images, np.array([translator.domain_index(own_domains[path]) for path, _ in batch], np.int32)
            ).numpy()
            own_styles = [
                Style(code, own_domains[path], style_file.reference_origin(path))
                for code, (path, _) in zip(own, batch, strict=True)
            ]
            for domain in domains:
                styles, origins = guide.styles(domain, numbers)
                outputs = translator.translate(images, styles)
                reconstructions = translator.translate(outputs, own)
                errors = np.abs(reconstructions - images).mean(axis=(1, 2, 3))
                for row, (path, image) in enumerate(batch):
                    pictures = to_image(outputs[row]), to_image(reconstructions[row])
                    drawn = Style(styles[row], domain, origins[row]), own_styles[row]
                    for kind, picture, style in zip(("output", "reconstruction"), pictures, drawn, strict=True):
                        file = output / kind / folders[domain] / f"{names[path]}.png"
                        shared.save_picture(picture, file, shared.metadata(arguments, translator, [style]))
                    if path in in_grid:
                        rows[domain].append([to_image(image), *guide.shown(domain, numbers[row]), *pictures])
                        styles_shown += drawn
                        labels[domain].append(style_file.origin_label(origins[row]))
                    pair = {"source": str(path), "source_domain": own_domains[path], "domain": domain}
                    entries.append(pair | origins[row] | {"error": round(float(errors[row]), 6)})
                progress.update(len(batch))
    if any(rows.values()):
        titles = fonts.titles(translator.domains, output)
        rows = {titles[domain]: shown for domain, shown in rows.items()}
        labels = {} if guide.references else {titles[domain]: of_domain for domain, of_domain in labels.items()}
        grid = grids.cycle_grid(rows, bool(guide.references), labels)
        told = shared.metadata(arguments, translator, styles_shown, mixed=True)
        shared.save_picture(grid, output / GRID_FILE, told)
    return entries


def _means(entries: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Returns the mean error for each pair of domains that occurs, and over all images."""
    errors: dict[str, list[float]] = {}
    for entry in entries:
        errors.setdefault(f"{entry['source_domain']} to {entry['domain']} and back", []).append(entry["error"])
    errors["all"] = [entry["error"] for entry in entries]
    return {pair: round(float(np.mean(values)), 6) for pair, values in errors.items()}
