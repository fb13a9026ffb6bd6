"""The metadata of a picture or video, found where other programs look for it."""

import io
from typing import Any
from xml.etree import ElementTree

from PIL import Image

from stargan_tf.data.png_chunks import chunks
from stargan_tf.inference.provenance import NAMESPACE

XMP_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_OURS = f"{{{NAMESPACE}}}"


def read_metadata(data: bytes) -> dict[str, Any] | None:
    """Returns what a file says of itself; None if it has no XMP."""
    packet = _xmp_of_mp4(data) if data[4:8] == b"ftyp" else _xmp_of_image(data)
    if packet is None:
        return None
    description = ElementTree.fromstring(packet).find(f"{_RDF}RDF/{_RDF}Description")
    names = {
        f"{_IPTC}DigitalSourceType": "source_type",
        f"{_IPTC}AISystemUsed": "system",
        f"{_IPTC}AISystemVersionUsed": "system_version",
        f"{_OURS}networks": "networks",
        f"{_OURS}model": "model",
    }
    told: dict[str, Any] = {names[part.tag]: part.text for part in description if part.tag in names}
    told["source_type"] = told["source_type"].removeprefix(XMP_TYPE)
    told["styles"] = [
        {part.tag.removeprefix(_OURS): part.text for part in style}
        for style in description.iterfind(f"{_OURS}styles/{_RDF}Bag/{_RDF}li")
    ]
    return told


def _xmp_of_image(data: bytes) -> bytes | None:
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "GIF":  # of which Pillow reads the text of the block as one of comments
            _, found, rest = data.partition(b"\x21\xff\x0bXMP DataXMP")
            return rest.partition(b'<?xpacket end="r"?>')[0] if found else None
        if image.format == "PNG":
            image.load()
        return image.info.get("xmp")


def _xmp_of_mp4(data: bytes) -> bytes | None:
    place = 0
    while place < len(data):
        size, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        if kind == b"uuid" and data[place + 8 : place + 24].hex() == "be7acfcb97a942e89c71999491e3afac":
            return data[place + 24 : place + size]
        place += size
    return None


def without_metadata(image: bytes) -> bytes:
    """Returns a PNG or JPEG file as it was before metadata were put in, if they were."""
    if image.startswith(b"\xff\xd8"):
        start = image.index(b"http://ns.adobe.com/xap/1.0/\0") - 4
        return image[:start] + image[start + 2 + int.from_bytes(image[start + 2 : start + 4]) :]
    for chunk in [chunk for chunk in chunks(image) if chunk.kind == b"iTXt"]:
        image = image[: chunk.start] + image[chunk.end :]
    return image
