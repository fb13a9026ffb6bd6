"""Where images come from: folders of domains."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stargan_tf.data.images import IMAGE_SUFFIXES, image_files
from stargan_tf.data.records import check_domains
from stargan_tf.errors import UserError

ATTRIBUTES_FILE = "attributes.jsonl"


@dataclass(frozen=True)
class SourceImage:
    """One image that is to be prepared.

    Args:
        path: where it is.
        key: path relative to the input, with forward slashes.
        subset: "train" or "val".
        label: index of its domain.
        attributes: what else is known of it, a JSON object as text.
    """

    path: str
    key: str
    subset: str
    label: int
    attributes: str = "{}"


@dataclass(frozen=True)
class Sources:
    """All images of an input directory.

    Args:
        domains: names of the domains, sorted; an image's label is an index into them.
        images: the images, sorted by key.
    """

    domains: tuple[str, ...]
    images: tuple[SourceImage, ...]


def find_images(directory: str | os.PathLike[str], val_fraction: float, seed: int) -> Sources:
    """Finds the images of all domains.

    The directory holds either `train/DOMAIN/` and `val/DOMAIN/`, or only one of `train/DOMAIN/` and `DOMAIN/`, whose
    images are then split by a hash: adding images moves none of the others. Folders within a domain are searched too;
    hidden files, hidden folders and files with other extensions are ignored.

    Args:
        directory: the input directory.
        val_fraction: share of the images that becomes the validation set where there is no `val/`, in [0, 1).
        seed: salt of that hash.

    Returns:
        Domains and images.

    Raises:
        UserError: a missing directory, fewer than two domains, a domain without images, or one in `val` only.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"--input {directory} is not a directory; name one with a folder of images for each domain")
    if (directory / "val").is_dir() and not (directory / "train").is_dir():
        raise UserError(f"--input {directory} has a folder val but none called train")
    train = directory / "train" if (directory / "train").is_dir() else directory
    val = directory / "val" if (directory / "val").is_dir() else None
    domains = _folders(train)
    if not domains:
        raise UserError(f"no domains in {train}: it has no folders; there should be one for each domain")
    if len(domains) == 1:
        raise UserError(f"only one domain, {domains[0]!r}, in {train}; a translation needs at least two")
    check_domains(domains)
    for domain in _folders(val) if val else ():
        if domain not in domains:
            raise UserError(f"domain {domain!r} is in {val} but not in {train}; the domains of training must cover it")

    attributes = _read_attributes(directory / ATTRIBUTES_FILE)
    images = []
    for label, domain in enumerate(domains):
        keys = dict.fromkeys(_image_keys(train / domain, directory), "train")
        if not keys:
            raise UserError(
                f"domain {domain!r} is empty: {train / domain} has no file ending in {', '.join(IMAGE_SUFFIXES)}"
            )
        if val:
            keys |= dict.fromkeys(_image_keys(val / domain, directory), "val")
        else:
            keys = {key: "val" if _uniform(key, seed) < val_fraction else "train" for key in keys}
        for key, subset in keys.items():
            images.append(SourceImage(str(directory / key), key, subset, label, attributes.get(key, "{}")))
    return Sources(domains=tuple(domains), images=tuple(sorted(images, key=lambda image: image.key)))


def _folders(directory: Path) -> list[str]:
    """Names of the folders that are not hidden, sorted."""
    return sorted(child.name for child in directory.iterdir() if child.is_dir() and not child.name.startswith("."))


def _image_keys(folder: Path, root: Path) -> Iterator[str]:
    """Paths relative to `root` of the images in a folder; none if it does not exist."""
    return (file.relative_to(root).as_posix() for file in image_files(folder))


def _uniform(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but the arguments."""
    digest = hashlib.sha256(f"split {seed} {key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _read_attributes(file: Path) -> dict[str, str]:
    """Attributes by key, each a JSON object as text with sorted names; none if there is no such file."""
    if not file.exists():
        return {}
    attributes = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        try:
            entry = json.loads(line)
            if not isinstance(entry["path"], str) or not isinstance(entry["attributes"], dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f'line {number} of {file} is not of the form {{"path": "...", "attributes": {{...}}}}: {line[:80]!r}'
            ) from None
        attributes[entry["path"]] = json.dumps(entry["attributes"], sort_keys=True)
    return attributes
