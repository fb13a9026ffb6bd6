"""Videos that move from style to style: drawn ones, those of references, or saved ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from stargan_tf.base import progress
from stargan_tf.base.command_line import check_ranges
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import file_names
from stargan_tf.base.ranges import NonNegativeInt, PositiveInt, Share
from stargan_tf.config import Config
from stargan_tf.data.images import evenly_spread, to_image
from stargan_tf.inference import fonts, grids, interpolation, style_file, video
from stargan_tf.inference.inputs import REJECTED_FILE, ImageReader, find_references, find_sources
from stargan_tf.inference.modes import shared
from stargan_tf.inference.modes.shared import SharedArguments
from stargan_tf.inference.style_file import Style
from stargan_tf.runs import run_directory

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator

DESCRIPTION = (
    "Writes a video of images whose style changes smoothly from one to the next and, in a loop, back to the first: "
    "drawn styles (--seeds), those of references, which slide by beside it (--reference), or saved ones (--style). "
    "Sources stand on top, with a row for each domain below. Between drawn styles the latent code moves along the arc "
    "(spherically), since a straight line would pass codes that the mapping network never saw; between others the "
    "style code moves along the line. The styles visited are written to VIDEO.styles/."
)


@dataclass(frozen=True)
class Arguments(SharedArguments):
    """The command line.

    Args:
        output: the video to write, ending in .mp4, .webp or .gif; it must not exist.
        domain: names of the domains to show, one or more; by default all. Saved styles know theirs.
        seeds: drawn styles to visit, in this order; by default 0 1 2 3.
        psi: truncation of drawn styles; 1 for full variety, 0 for the mean style of the domain.
        space: what is interpolated between drawn styles, their latent codes along the arc, or their style codes along
            the line.
        reference: references to visit: a folder with a folder for each domain, by its name; with one --domain also
            images in this order, or a folder of images.
        style: style files to visit, in this order; they may be of different domains.
        other_networks: whether style files made by other networks, like those of an earlier step, are used all the
            same.
        frames: frames from one style to the next.
        fps: frames a second.
        loop: whether the way ends where it began, so that the video can be repeated without a seam; otherwise it ends
            with the last style.
        sources: images shown side by side, at most, evenly spread over those of a folder; not more than --batch_size.
    """

    output: str
    domain: list[str] | None = None
    seeds: list[NonNegativeInt] | None = None
    psi: Share = 1.0
    space: Literal["latent", "style"] = "latent"
    reference: list[str] = field(default_factory=list)
    style: list[str] = field(default_factory=list)
    other_networks: bool = False
    frames: PositiveInt = 48
    fps: PositiveInt = 24
    loop: bool = True
    sources: PositiveInt = 4


@dataclass(frozen=True)
class Row:
    """A row of the video.

    Args:
        title: above it.
        visited: the styles on the way.
        codes: [F, style_dim], the styles of all frames.
        references: pictures of what was visited, to slide by; none if the styles were not taken from images.
    """

    title: str
    visited: list[Style]
    codes: np.ndarray
    references: list[Image.Image] | None = None


@dataclass(frozen=True)
class Inputs:
    """What the command line names.

    Args:
        sources: the images to translate, [N, H, W, 3] in [-1, 1], at most as many as a batch.
        domains: to translate into.
        references: by domain the paths and images, of each equally many, at least two; empty without --reference.
        reader: lists what could not be read.
    """

    sources: np.ndarray
    domains: tuple[str, ...]
    references: dict[str, list[tuple[Path, np.ndarray]]]
    reader: ImageReader


def run(arguments: Arguments) -> None:
    """Makes a video as the arguments say.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, or an image that cannot be read.
    """
    _check(arguments)
    inputs = open_inputs(arguments, shared.check_run(arguments))
    make_video(shared.load_translator(arguments), inputs, arguments)


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
    output = Path(arguments.output)
    paths = evenly_spread(find_sources(Path(arguments.source)), arguments.sources)
    domains = shared.target_domains(shared.domains_of(config), arguments.domain)
    shared.check_styles(arguments.style, config)
    # Beside the video and not in a folder of its own; it is there only if an image could not be read.
    rejected_file = output.with_name(f"{output.name}.{REJECTED_FILE}")
    reader = ImageReader(config.model.size, config.images.known(), rejected_file)
    found = _find_references(arguments, domains) if arguments.reference else {}
    references = reader.read_references(found)
    _check_references(references)
    reader.check_some_readable(paths, f"the {len(paths)} sources")
    sources = [image for _, image in reader.read(paths)]
    output.parent.mkdir(parents=True, exist_ok=True)
    return Inputs(np.stack(sources), domains, references, reader)


def make_video(translator: "Translator", inputs: Inputs, arguments: Arguments) -> None:
    """Makes a video with networks that are loaded.

    Args:
        translator: of `arguments.run`.
        inputs: as `open_inputs` found them.
        arguments: the command line, checked.

    Raises:
        UserError: a style file belongs to other networks.
    """
    output = Path(arguments.output)
    titles = fonts.titles(translator.domains, _styles_directory(output))
    if arguments.style:
        rows = [_saved_row(arguments, translator, titles)]
    elif inputs.references:
        rows = _reference_rows(arguments, translator, inputs.references, titles)
    else:
        rows = _latent_rows(arguments, translator, inputs.domains, titles)
    names = file_names(translator.domains)
    for row in rows:
        for index, style in enumerate(row.visited):
            path = _styles_directory(output) / f"{names[style.domain]}_{index}.json"
            style_file.write(style, path, translator, arguments.run)
    frames = _frames(translator, inputs.sources, rows, arguments.frames, arguments.loop)
    visited = [style for row in rows for style in row.visited]
    metadata = shared.metadata(arguments, translator, visited, mixed=True)
    stored = video.write_video(frames, output, arguments.fps, arguments.loop, metadata)
    drawn = len(rows[0].codes)
    alike = f" ({drawn} were drawn; those like the one before only show it longer)" if stored < drawn else ""
    print(
        f"{stored} frames{alike}, {drawn / arguments.fps:.1f} s in {output}; its styles in {_styles_directory(output)}"
    )
    inputs.reader.report()


def _check(arguments: Arguments) -> None:
    check_ranges(arguments)
    output = Path(arguments.output)
    given = [f"--{name}" for name in ("seeds", "reference", "style") if getattr(arguments, name)]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are given; a video moves between styles of one kind")
    if arguments.style and arguments.domain is not None:
        raise UserError("--domain is given, but the styles of --style belong to domains already")
    if arguments.sources > arguments.batch_size:
        raise UserError(
            f"--sources is {arguments.sources}; it must be at most --batch_size ({arguments.batch_size}), since the "
            "images of a frame are translated at once"
        )
    for name in ("seeds", "style"):
        if len(getattr(arguments, name) or (0, 0)) < 2:
            raise UserError(f"--{name} has 1 style; a video moves between at least 2")
    for seed in arguments.seeds or []:
        shared.check_seeds("seeds", seed)
    video.check_format(output, arguments.fps)
    if output.exists() or run_directory.is_occupied(_styles_directory(output)):
        there = output if output.exists() else _styles_directory(output)
        raise UserError(f"{str(there)!r} exists; choose another --output")


def _styles_directory(output: Path) -> Path:
    return output.with_name(f"{output.name}.styles")


def _find_references(arguments: Arguments, domains: Sequence[str]) -> dict[str, list[Path]]:
    paths = [Path(path) for path in arguments.reference]
    if len(paths) == 1:
        return find_references(paths[0], domains, arguments.references)
    if len(domains) == 1:
        return {domains[0]: [image for path in paths for image in find_sources(path, "--reference")]}
    raise UserError(
        f"{len(paths)} references are given; say of which domain with --domain, one of {', '.join(domains)}"
    )


def _check_references(references: Mapping[str, Sequence]) -> None:
    for domain, images in references.items():
        if len(images) < 2:
            raise UserError(f"there is 1 reference of domain {domain!r}; a video moves between at least 2")
    if len({len(images) for images in references.values()}) > 1:
        numbers = ", ".join(f"{len(images)} {domain}" for domain, images in references.items())
        raise UserError(
            f"the domains have different numbers of references ({numbers}); give the lowest as --references"
        )


def _latent_rows(
    arguments: Arguments, translator: "Translator", domains: Sequence[str], titles: Mapping[str, str]
) -> list[Row]:
    seeds = arguments.seeds or [0, 1, 2, 3]
    latents = np.concatenate([translator.draw_latents(1, seed) for seed in seeds])
    rows = []
    for domain in domains:
        visited = style_file.drawn_styles(translator, domain, seeds, arguments.psi, latents)
        if arguments.space == "style":
            codes = _line(visited, arguments)
        else:
            way = interpolation.walk(latents, arguments.frames, arguments.loop, interpolation.spherical)
            codes = translator.styles_from_latents(way, domain, arguments.psi)
        rows.append(Row(f"to {titles[domain]}", visited, codes))
    return rows


def _reference_rows(
    arguments: Arguments,
    translator: "Translator",
    references: Mapping[str, list[tuple[Path, np.ndarray]]],
    titles: Mapping[str, str],
) -> list[Row]:
    rows = []
    for domain, images in references.items():
        visited = style_file.reference_styles(translator, domain, images)
        pictures = [to_image(image) for _, image in images]
        rows.append(Row(f"to {titles[domain]}", visited, _line(visited, arguments), pictures))
    return rows


def _saved_row(arguments: Arguments, translator: "Translator", titles: Mapping[str, str]) -> Row:
    visited = [style_file.read(Path(path), translator, arguments.other_networks) for path in arguments.style]
    return Row(" - ".join(dict.fromkeys(titles[style.domain] for style in visited)), visited, _line(visited, arguments))


def _line(visited: Sequence[Style], arguments: Arguments) -> np.ndarray:
    points = np.stack([style.code for style in visited])
    return interpolation.walk(points, arguments.frames, arguments.loop, interpolation.linear)


def _frames(
    translator: "Translator", images: np.ndarray, rows: list[Row], frames: int, loop: bool
) -> Iterator[np.ndarray]:
    """Yields the frames of the video, uint8 [H, W, 3]."""
    sources = [to_image(image) for image in images]
    codes = np.stack([row.codes for row in rows], axis=1)  # [F, rows, style_dim]
    translations = translator.each_style(images, codes.reshape(-1, codes.shape[-1]))
    moments = list(interpolation.timetable(len(rows[0].visited), frames, loop))
    for start, end, share in progress.each(moments, "drawing", "frames"):
        shown = {row.title: next(translations) for row in rows}
        between = {
            row.title: _between(row.references[start], row.references[end], share)
            for row in rows
            if row.references is not None
        }
        yield np.asarray(grids.video_frame(sources, shown, between or None))


def _between(start: Image.Image, end: Image.Image, share: float) -> Image.Image:
    """Returns what a window shows past which two pictures, one above the other, slide upwards."""
    window = Image.new("RGB", start.size)
    moved = round(share * start.height)
    window.paste(start, (0, -moved))
    window.paste(end, (0, start.height - moved))
    return window
