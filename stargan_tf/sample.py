"""Translates folders of images: `python -m stargan_tf.sample --run DIR --source DIR --output DIR [--reference DIR]`."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stargan_tf import command_line, grids, run_directory
from stargan_tf.data.images import (
    IMAGE_SUFFIXES,
    UnreadableImage,
    decode_image,
    fit_image,
    image_files,
    to_array,
    to_image,
)
from stargan_tf.errors import UserError

PROGRAM = "python -m stargan_tf.sample"
DESCRIPTION = (
    "Translates every image of a folder into every domain: in styles drawn from latent codes, and with --reference in "
    "the styles of reference images. Writes single images and grids."
)

REJECTED_FILE = "rejected.jsonl"


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        run: run directory of a trained model.
        source: folder of images to translate; folders in it are searched as well.
        output: directory to write, which must not exist or be empty.
        reference: folder with a folder of reference images for each domain, by its name.
        styles: styles drawn for each domain.
        references: references used of each domain, evenly spread over its images.
        psi: truncation of drawn styles; 1 for full variety, 0 for the mean style of the domain.
        seed: of the first style drawn for each domain; the next have the seeds that follow.
        grid_sources: sources shown in the grids.
        batch_size: images translated at once.
    """

    run: str
    source: str
    output: str
    reference: str | None = None
    styles: int = 4
    references: int = 4
    psi: float = 1.0
    seed: int = 0
    grid_sources: int = 8
    batch_size: int = 16


def run(arguments: Arguments) -> None:
    """Translates as the arguments say.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, or no image that can be read.
    """
    output = Path(arguments.output)
    for name in ("styles", "references", "grid_sources", "batch_size"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name} is {getattr(arguments, name)}; it must be at least 1")
    if not 0 <= arguments.psi <= 1:
        raise UserError(f"--psi is {arguments.psi}; it must be between 0 and 1")
    if arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}; it must be at least 0")
    if run_directory.is_occupied(output):
        raise UserError(f"--output {arguments.output!r} exists and is not empty; choose a new directory")
    sources = find_images(Path(arguments.source), "--source")
    with command_line.quiet_start():
        from stargan_tf.translation import Translator

        translator = Translator.from_run(Path(arguments.run), arguments.batch_size)
    references = {}
    if arguments.reference is not None:
        for domain in translator.domains:
            found = find_images(Path(arguments.reference) / domain, "--reference")
            step = max(1, len(found) // arguments.references)
            references[domain] = found[::step][: arguments.references]

    output.mkdir(parents=True, exist_ok=True)
    reader = ImageReader(translator.image_size, output / REJECTED_FILE)
    latents = translator.draw_latents(arguments.styles, arguments.seed)
    latent_styles = {
        domain: translator.styles_from_latents(latents, domain, arguments.psi) for domain in translator.domains
    }
    reference_images, reference_styles = {}, {}
    for domain, paths in references.items():
        kept = reader.read(paths)
        if not kept:
            raise UserError(f"none of the references of domain {domain!r} can be read; see {output / REJECTED_FILE}")
        reference_images[domain] = np.stack([image for _, image in kept])
        reference_styles[domain] = translator.styles_from_references(reference_images[domain], domain)

    guides = {"latent": latent_styles, "reference": reference_styles} if references else {"latent": latent_styles}
    # Evenly spread, since sources sorted by name often stand together by domain.
    count = min(arguments.grid_sources, len(sources))
    in_grids = {sources[index * len(sources) // count] for index in range(count)}
    shown_sources, shown = [], {guide: {domain: [] for domain in translator.domains} for guide in guides}
    root, translated = Path(arguments.source), 0
    for path, image in _with_progress(sources, reader):
        name = "__".join(path.relative_to(root).with_suffix("").parts) + path.suffix.replace(".", "_").lower()
        for guide, styles_of in guides.items():
            for domain, styles in styles_of.items():
                translations = translator.translate(np.repeat(image[None], len(styles), 0), styles)
                _write(output / guide / domain, name, translations)
                if path in in_grids:
                    shown[guide][domain].append(translations)
        if path in in_grids:
            shown_sources.append(image)
        translated += 1
    if not translated:
        raise UserError(f"none of the {len(sources)} sources can be read; see {output / REJECTED_FILE}")
    if shown_sources:
        _write_grids(output, np.stack(shown_sources), shown, reference_images)
    print(f"translated {translated} images; grids and single images in {output}")
    if reader.rejected:
        print(f"{reader.rejected} images could not be read; they are listed in {output / REJECTED_FILE}")


def find_images(folder: Path, flag: str) -> list[Path]:
    """Finds images in a folder and its folders, sorted; hidden files and folders are left out.

    Args:
        folder: where to look.
        flag: the flag that named the folder, for errors.

    Returns:
        The paths, at least one.

    Raises:
        UserError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r} ({flag})")
    paths = sorted(image_files(folder))
    if not paths:
        raise UserError(f"there is no image in {str(folder)!r} ({flag}); looked for {', '.join(IMAGE_SUFFIXES)}")
    return paths


class ImageReader:
    """Reads images as the data job does, and lists those that it cannot read.

    Args:
        image_size: height and width to fit them to.
        rejected_file: where unreadable images are listed, a JSON object a line.
    """

    def __init__(self, image_size: tuple[int, int], rejected_file: Path):
        self.rejected = 0
        self._image_size = image_size
        self._rejected_file = rejected_file

    def read(self, paths: Sequence[Path]) -> list[tuple[Path, np.ndarray]]:
        """Returns the readable images with their paths, float32 [H, W, 3] in [-1, 1]."""
        images = []
        for path in paths:
            try:
                images.append((path, to_array(fit_image(decode_image(path.read_bytes()), self._image_size))))
            except (OSError, UnreadableImage) as error:
                self.rejected += 1
                with self._rejected_file.open("a") as file:
                    file.write(json.dumps({"path": str(path), "reason": str(error)}) + "\n")
        return images


def _with_progress(paths: Sequence[Path], reader: ImageReader) -> Iterator[tuple[Path, np.ndarray]]:
    for path in tqdm(paths, desc="translating", unit="image", disable=None):
        yield from reader.read([path])


def _write(directory: Path, name: str, translations: np.ndarray) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for index, translation in enumerate(translations):
        to_image(translation).save(directory / f"{name}_{index}.png")


def _write_grids(output: Path, sources: np.ndarray, shown: dict, reference_images: dict[str, np.ndarray]) -> None:
    # From one array [S, H, W, 3] a source to one array [S, N, H, W, 3] a domain.
    rows = {
        guide: {domain: np.stack(blocks, 1) for domain, blocks in domains.items()} for guide, domains in shown.items()
    }
    grids.latent_grid(sources, rows["latent"]).save(output / "latent_guided.png")
    if "reference" in rows:
        grids.reference_grid(sources, reference_images, rows["reference"]).save(output / "reference_guided.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
