"""Translates images: in styles drawn from latent codes, in those of references, and in saved ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stargan_tf.base.command_line import check_ranges
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import file_names
from stargan_tf.base.progress import Progress
from stargan_tf.base.ranges import NonNegativeInt, PositiveInt, Share
from stargan_tf.config import Config
from stargan_tf.data.images import evenly_spread, to_image, unfit_image
from stargan_tf.inference import fonts, grids, style_file
from stargan_tf.inference.inputs import ImageReader, find_sources, result_names
from stargan_tf.inference.modes import shared
from stargan_tf.inference.modes.shared import SharedArguments
from stargan_tf.inference.style_file import Style

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator

DESCRIPTION = (
    "Translates images into other domains. In OUTPUT are then latent/DOMAIN/IMAGE_N.png in drawn styles, "
    "reference/DOMAIN/IMAGE_N.png in those of references (--reference), saved/DOMAIN/IMAGE_N.png in saved ones "
    "(--style), a grid of each kind to look at, and styles/KIND/DOMAIN_N.json: give one that you like to --style."
)

DEFAULT_STYLES = 4


@dataclass(frozen=True)
class Arguments(SharedArguments):
    """The command line.

    Args:
        domain: names of the domains to translate into, one or more; by default all.
        styles: styles drawn for each domain; by default 4, or none with --style.
        seed: of the first style drawn for each domain; the next have the seeds that follow.
        psi: truncation of drawn styles, one or more, like 0.5 0.7 1: 1 for full variety, 0 for the mean style of the
            domain.
        reference: folder with a folder of reference images for each domain, by its name; with one --domain also an
            image, or a folder of images.
        style: style files to use again, one or more, each in the domain that it belongs to.
        other_networks: whether style files made by other networks, like those of an earlier step, are used all the
            same.
        resize_to_source: whether single images have the size of their source instead of the networks': enlarged or
            reduced by Lanczos; where the networks see the centre of a source only (`--fit crop` of the data job), that
            of this centre. Grids stay as they are.
        grid_sources: sources shown in the grids, at most.
    """

    domain: list[str] | None = None
    styles: NonNegativeInt | None = None
    seed: NonNegativeInt = 0
    psi: list[Share] = field(default_factory=lambda: [1.0])
    reference: str | None = None
    style: list[str] = field(default_factory=list)
    other_networks: bool = False
    resize_to_source: bool = False
    grid_sources: PositiveInt = 8


@dataclass(frozen=True)
class Guide:
    """Styles of one kind.

    Args:
        name: of the folder of its translations.
        grid: file name of its grid.
        styles: by domain, at least one each.
        labels: by domain how the rows of the grid are called; nothing where references stand beside them.
        references: where the styles were taken from, by domain, [H, W, 3] in [-1, 1] each.
    """

    name: str
    grid: str
    styles: dict[str, list[Style]]
    labels: dict[str, list[str]] = field(default_factory=dict)
    references: dict[str, list[np.ndarray]] | None = None


@dataclass(frozen=True)
class Inputs:
    """What the command line names.

    Args:
        sources: the images to translate; at least one can be read.
        domains: to translate into.
        references: by domain the paths and images; empty without --reference.
        reader: reads the sources, and lists what cannot be read.
    """

    sources: list[Path]
    domains: tuple[str, ...]
    references: dict[str, list[tuple[Path, np.ndarray]]]
    reader: ImageReader


def run(arguments: Arguments) -> None:
    """Translates as the arguments say.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, or no image that can be read.
    """
    _check(arguments)
    inputs = open_inputs(arguments, shared.check_run(arguments))
    translate(shared.load_translator(arguments), inputs, arguments)


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
    sources = find_sources(Path(arguments.source))
    domains = shared.target_domains(shared.domains_of(config), arguments.domain)
    shared.check_styles(arguments.style, config)
    references, reader = shared.read_references(arguments, config, sources, domains, arguments.reference)
    return Inputs(sources, domains, references, reader)


def translate(translator: "Translator", inputs: Inputs, arguments: Arguments) -> None:
    """Translates with networks that are loaded.

    Args:
        translator: of `arguments.run`.
        inputs: as `open_inputs` found them.
        arguments: the command line, checked.

    Raises:
        UserError: a style file belongs to other networks.
    """
    output = Path(arguments.output)
    saved = [style_file.read(Path(path), translator, arguments.other_networks) for path in arguments.style]
    guides = _latent_guides(arguments, translator, inputs.domains)
    if inputs.references:
        guides.append(_reference_guide(translator, inputs.references))
    if saved:
        guides.append(_saved_guide(arguments.style, saved))
    folders = file_names(translator.domains)
    for guide in guides:
        for domain, styles in guide.styles.items():
            for index, style in enumerate(styles):
                path = output / "styles" / guide.name / f"{folders[domain]}_{index}.json"
                style_file.write(style, path, translator, arguments.run)

    translated = _translate(translator, inputs, guides, arguments)
    print(f"translated {translated} images; grids, single images and styles in {output}")
    inputs.reader.report()


def _check(arguments: Arguments) -> None:
    check_ranges(arguments)
    if len(set(arguments.psi)) < max(1, len(arguments.psi)):
        raise UserError(f"--psi is {arguments.psi}; it must be one or more different numbers")
    if _drawn(arguments) == 0 and not arguments.style and arguments.reference is None:
        raise UserError("--styles is 0; it must be at least 1 without --reference and --style")
    shared.check_seeds("seed", arguments.seed, _drawn(arguments))
    shared.check_output(arguments.output)


def _drawn(arguments: Arguments) -> int:
    """Returns how many styles are to be drawn for each domain."""
    if arguments.styles is not None:
        return arguments.styles
    return 0 if arguments.style else DEFAULT_STYLES


def _latent_guides(arguments: Arguments, translator: "Translator", domains: Sequence[str]) -> list[Guide]:
    """Draws styles, a guide for each psi: the same latent codes, so that their grids can be compared."""
    if not _drawn(arguments):
        return []
    seeds = list(range(arguments.seed, arguments.seed + _drawn(arguments)))
    latents = translator.draw_latents(len(seeds), arguments.seed)
    guides = []
    for psi in arguments.psi:
        suffix = f"_psi_{psi:g}" if len(arguments.psi) > 1 else ""
        styles = {domain: style_file.drawn_styles(translator, domain, seeds, psi, latents) for domain in domains}
        labels = {
            domain: [style_file.origin_label(style.origin) for style in drawn] for domain, drawn in styles.items()
        }
        guides.append(Guide(f"latent{suffix}", f"latent_guided{suffix}.png", styles, labels))
    return guides


def _reference_guide(translator: "Translator", references: dict[str, list[tuple[Path, np.ndarray]]]) -> Guide:
    styles = {domain: style_file.reference_styles(translator, domain, images) for domain, images in references.items()}
    images = {domain: [image for _, image in images] for domain, images in references.items()}
    return Guide("reference", "reference_guided.png", styles, references=images)


def _saved_guide(paths: Sequence[str], saved: Sequence[Style]) -> Guide:
    styles: dict[str, list[Style]] = {style.domain: [] for style in saved}
    labels: dict[str, list[str]] = {style.domain: [] for style in saved}
    for path, style in zip(paths, saved, strict=True):
        styles[style.domain].append(style)
        labels[style.domain].append(Path(path).stem)
    return Guide("saved", "saved_styles.png", styles, labels)


def _translate(translator: "Translator", inputs: Inputs, guides: list[Guide], arguments: Arguments) -> int:
    """Writes translations a batch at a time, and grids of some of them; returns how many sources could be read."""
    output, sources, reader = Path(arguments.output), inputs.sources, inputs.reader
    placed = {
        (guide.name, domain, index): style
        for guide in guides
        for domain, styles in guide.styles.items()
        for index, style in enumerate(styles)
    }
    codes = np.stack([style.code for style in placed.values()])
    told = {place: shared.metadata(arguments, translator, [style]) for place, style in placed.items()}
    # Evenly spread, since sources sorted by name often stand together by domain.
    in_grids = set(evenly_spread(sources, arguments.grid_sources))
    shown_sources: list[Image.Image] = []
    shown: dict[tuple[str, str, int], list[Image.Image]] = {place: [] for place in placed}
    folders, names = file_names(translator.domains), result_names(sources, Path(arguments.source))
    translated = 0
    with Progress(len(sources) * len(placed), "translating", "images") as progress:
        for batch in reader.batches(sources, translator.batch_size):
            if not batch:
                continue
            images = np.stack([image for _, image in batch])
            for place, translations in zip(placed, translator.each_style(images, codes), strict=True):
                kind, domain, index = place
                for (path, _), translation in zip(batch, translations, strict=True):
                    picture = to_image(translation)
                    if path in in_grids:
                        shown[place].append(picture)
                    if arguments.resize_to_source:
                        picture = unfit_image(picture, reader.sizes[path], translator.image_config)
                    file = output / kind / folders[domain] / f"{names[path]}_{index}.png"
                    shared.save_picture(picture, file, told[place])
                progress.update(len(batch))
            shown_sources += [to_image(image) for path, image in batch if path in in_grids]
            translated += len(batch)
    if shown_sources:
        titles = fonts.titles(translator.domains, output)
        for guide in guides:
            styles = [style for of_domain in guide.styles.values() for style in of_domain]
            picture = _grid(guide, shown_sources, shown, titles)
            shared.save_picture(
                picture, output / guide.grid, shared.metadata(arguments, translator, styles, mixed=True)
            )
    return translated


def _grid(guide: Guide, sources: list[Image.Image], shown: dict, titles: Mapping[str, str]) -> Image.Image:
    rows = {
        titles[domain]: [shown[guide.name, domain, index] for index in range(len(styles))]
        for domain, styles in guide.styles.items()
    }
    if guide.references is None:
        labels = {titles[domain]: of_domain for domain, of_domain in guide.labels.items()}
        return grids.latent_grid(sources, rows, labels)
    references = {titles[domain]: images for domain, images in guide.references.items()}
    return grids.reference_grid(sources, references, rows)
