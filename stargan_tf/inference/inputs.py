"""Finds the images that a user names and reads them as the data job does; unreadable ones are listed in a file."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import file_name, numbered, same_file
from stargan_tf.config import ImageConfig
from stargan_tf.data.images import (
    IMAGE_SUFFIXES,
    UnreadableImage,
    decode_image,
    evenly_spread,
    fit_image,
    image_files,
    to_array,
)

REJECTED_FILE = "rejected.jsonl"


def find_images(folder: Path, flag: str) -> list[Path]:
    """Finds images in a folder and its subfolders, sorted; hidden files and folders are left out.

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


def known_domain(name: str, domains: Sequence[str]) -> str:
    """Returns the name of a domain; raises UserError if a run does not know it."""
    if name not in domains:
        raise UserError(f"there is no domain {name!r}; the run knows {', '.join(domains)}")
    return name


def find_sources(path: Path, flag: str = "--source") -> list[Path]:
    """Returns the image at a path, or the images in the folder at that path.

    Args:
        path: a file, whatever its suffix, or a folder.
        flag: the flag that named it, for errors.

    Returns:
        The paths, sorted, at least one.

    Raises:
        UserError: there is no such file or folder, or no image in the folder.
    """
    if not path.exists():
        raise UserError(f"there is no file or folder {str(path)!r} ({flag})")
    return find_images(path, flag) if path.is_dir() else [path]


def find_references(path: Path, domains: Sequence[str], count: int) -> dict[str, list[Path]]:
    """Finds reference images of domains.

    Args:
        path: a folder with a subfolder named after each domain; for a single domain also an image or a folder.
        domains: names of the domains wanted.
        count: most images to take of each domain, evenly spread over those found.

    Returns:
        By domain the paths, sorted, at least one.

    Raises:
        UserError: a domain has none, or it is unclear which domain the images belong to.
    """
    folders = {domain: path / file_name(domain) for domain in domains}  # `..` is a name of a domain like any other
    if len(domains) == 1 and not folders[domains[0]].is_dir():
        return {domains[0]: evenly_spread(find_sources(path, "--reference"), count)}
    if path.is_file():
        raise UserError(
            f"{str(path)!r} (--reference) is one image; say of which domain with --domain, one of {', '.join(domains)}"
        )
    return {domain: evenly_spread(find_images(folder, "--reference"), count) for domain, folder in folders.items()}


class ImageReader:
    """Reads images as the data job does, and lists those that it cannot read.

    Args:
        image_size: height and width wanted.
        how: how they become the networks' input.
        rejected_file: lists unreadable images, one JSON object per line; its folder is made when there are some.
    """

    def __init__(self, image_size: tuple[int, int], how: ImageConfig, rejected_file: Path):
        self.rejected = 0
        self.sizes: dict[Path, tuple[int, int]] = {}  # width and height, upright, of the images that were read last
        self._last = ""  # which image was rejected last, and why
        self._image_size = image_size
        self._how = how
        self.rejected_file = rejected_file

    def read(self, paths: Sequence[Path]) -> list[tuple[Path, np.ndarray]]:
        """Returns the readable images with their paths, float32 [H, W, 3] in [-1, 1]."""
        images, self.sizes = [], {}
        for path in paths:
            try:
                image = decode_image(path.read_bytes(), self._how)
                images.append((path, to_array(fit_image(image, self._image_size, self._how))))
                self.sizes[path] = image.size
            except (OSError, UnreadableImage) as error:
                self.rejected += 1
                self._last = f"{path}: {error}"
                self.rejected_file.parent.mkdir(parents=True, exist_ok=True)
                with self.rejected_file.open("a") as file:
                    file.write(json.dumps({"path": str(path), "reason": str(error)}) + "\n")
        return images

    def check_some_readable(self, paths: Sequence[Path], what: str) -> None:
        """Checks that images are not all unreadable; stops at the first that is not, and lists them if they are.

        Raises:
            UserError: none can be read.
        """
        if not any(self._is_readable(path) for path in paths):
            self.read(paths)
            raise UserError(self._nothing_read(what))

    def _is_readable(self, path: Path) -> bool:
        try:
            decode_image(path.read_bytes(), self._how)
        except (OSError, UnreadableImage):
            return False
        return True

    def read_references(self, references: dict[str, list[Path]]) -> dict[str, list[tuple[Path, np.ndarray]]]:
        """Reads the references of every domain; see `read`.

        Raises:
            UserError: none of a domain can be read.
        """
        images = {domain: self.read(paths) for domain, paths in references.items()}
        for domain, readable in images.items():
            if not readable:
                raise UserError(self._nothing_read(f"the references of domain {domain!r}"))
        return images

    def _nothing_read(self, what: str) -> str:
        """Returns a sentence for images of which none can be read, with why the last one cannot."""
        return f"none of {what} can be read ({self._last}); see {self.rejected_file}"

    def batches(self, paths: Sequence[Path], batch_size: int) -> Iterator[list[tuple[Path, np.ndarray]]]:
        """Reads images a batch at a time, as `read` does; a batch without a readable image is empty."""
        for start in range(0, len(paths), batch_size):
            yield self.read(paths[start : start + batch_size])

    def report(self) -> None:
        """Tells the user of images that could not be read."""
        if self.rejected:
            print(f"{self.rejected} images could not be read; they are listed in {self.rejected_file}")


def result_names(paths: Sequence[Path], source: Path) -> dict[Path, str]:
    """Says where what is made of each source is written, so that nothing is written over.

    Args:
        paths: of the source images.
        source: the folder that they were found in, or the image itself.

    Returns:
        By path a path without ending, relative to the folder of results: the folders in `source`, and the name without
        ending; with it (`cat.jpg`) where two would be the same otherwise, on any file system.
    """
    inside = {path: path.relative_to(source if source != path else path.parent) for path in paths}
    short = [_result_name(within, within.stem) for within in inside.values()]
    met = Counter(map(same_file, short))
    names = [
        name if met[same_file(name)] == 1 else _result_name(within, within.name)
        for name, within in zip(short, inside.values(), strict=True)
    ]
    return dict(zip(inside, numbered(names), strict=True))


def _result_name(within: Path, name: str) -> str:
    # A folder must not have the name of a picture beside it.
    folders = [file_name(part) + "_" * part.lower().endswith(".png") for part in within.parts[:-1]]
    return "/".join([*folders, file_name(name)])
