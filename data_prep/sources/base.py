"""What every source of images gives: the names of the domains, and where each image is."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Packing = Literal["file", "stored", "zipped", "example", "examples"]


@dataclass(frozen=True)
class Location:
    """Where the bytes of an image are.

    Args:
        path: a file, on any file system that fsspec knows.
        packing: how they lie in it: the whole "file"; a piece of an archive, "stored" as it is, or "zipped", a member
            of a zip file, which begins with a header that tells how it is compressed; the data of one record of a
            TFRecord file, a serialized "example"; "examples" is a whole TFRecord file, of which the records are still
            to be found.
        offset: where the piece begins, in bytes.
        size: length of the piece in the file, in bytes; of what follows the header if it is zipped.
        checksum: CRC-32 of the bytes of the image; None where nothing tells it.
    """

    path: str
    packing: Packing = "file"
    offset: int = 0
    size: int = 0
    checksum: int | None = None


@dataclass(frozen=True)
class SourceImage:
    """One image that is to be prepared.

    Args:
        key: tells it apart from all others of the source; its path relative to the input where it has one.
        domain: name of its domain.
        subset: "train", "val", or "" if a hash is to decide.
        location: where its bytes are.
        attributes: what else is known of it, a JSON object as text.
    """

    key: str
    domain: str
    subset: str
    location: Location
    attributes: str = "{}"

    def to_json(self) -> str:
        """Returns the image as one line of ASCII, whatever bytes are in the names of its files."""
        place = self.location
        # Lines are what the job holds in memory, and most keys are the end of a path.
        path = place.path.removesuffix(self.key) + "\0" if place.path.endswith(self.key) else place.path
        location = [path, place.packing, place.offset, place.size, place.checksum]
        if place.checksum is None:
            location.pop()
        return json.dumps((self.key, self.domain, self.subset, location, self.attributes), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> "SourceImage":
        """Returns the image that `to_json` wrote."""
        key, domain, subset, (path, *place), attributes = json.loads(line)
        path = path[:-1] + key if path.endswith("\0") else path
        return cls(key, domain, subset, Location(path, *place), attributes)


@dataclass(frozen=True)
class ExampleFormat:
    """What the features of a foreign Example are called.

    Args:
        image: name of the feature with the encoded image.
        label: name of the feature with the index of the domain.
        names: the domains in the order of that index; None for a label whose images are left out.
    """

    image: str
    label: str
    names: tuple[str | None, ...]


class Source(Protocol):
    """A pile of images.

    Attributes:
        domains: names of the domains, sorted; an image's label is an index into them.
        ignored: counts what was left out while listing, by a description of it.
        notes: what the user should know of how the input is understood, a sentence each.
        example_format: what Examples are like, for a source that has some.
    """

    domains: tuple[str, ...]
    ignored: Counter[str]
    notes: Sequence[str]
    example_format: ExampleFormat | None

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time, in any order."""
