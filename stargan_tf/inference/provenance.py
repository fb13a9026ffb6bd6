"""Says in pictures and videos that they are synthetic, what drew them and in which styles.

It is XMP, which other programs show: IPTC's digital source type and its properties of AI systems, and properties of our
own where the standard has none. Nothing in it holds the time, so the same input still gives the same bytes.

https://developer.adobe.com/xmp/docs/XMPSpecifications (part 3: where it stands in files)
https://www.iptc.org/std/photometadata/specification/IPTC-PhotoMetadata (2025.1)
https://cv.iptc.org/newscodes/digitalsourcetype
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from stargan_tf import __version__
from stargan_tf.data import png_chunks

NAMESPACE = "https://github.com/stargan-tf/stargan-tf/provenance/1.0/"
DRAWN = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# What shows sources or references beside what was drawn.
MIXED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
# For players, which show no XMP.
COMMENT = "Synthetic: drawn by a neural network (StarGAN v2)"

_TOOL = f"stargan-tf {__version__}"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_JPEG_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_HEAD = b"XML:com.adobe.xmp" + b"\0" * 5  # neither compressed nor in a language
_GIF_HEAD = b"\x21\xff\x0bXMP DataXMP"
# A decoder that does not know the block follows it as lengths of blocks, from wherever the text sends it to the end.
_GIF_TAIL = bytes([1, *range(255, -1, -1), 0])
_MP4_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

# What a style is made of, by the name that it has in `style`; values are numbers and texts.
Style = Mapping[str, Any]


def style(domain: str | None, origin: Mapping[str, Any], code: np.ndarray) -> Style:
    """Tells a style by what it was made of.

    Args:
        domain: its name, if it is known.
        origin: of that, `seed` and `psi`, or `reference_sha256`, are told; never a path, which may name a person.
        code: float32 [style_dim], whose hash is told where there is neither.

    Returns:
        What stands in the metadata.
    """
    told: dict[str, Any] = {} if domain is None else {"domain": domain}
    told |= {name: origin[name] for name in ("seed", "psi", "reference_sha256") if name in origin}
    if not told.keys() & {"seed", "reference_sha256"}:
        told["style_sha256"] = hashlib.sha256(np.asarray(code, "<f4").tobytes()).hexdigest()
    return told


def packet(styles: Sequence[Style], networks: str | None, model: str | None = None, mixed: bool = False) -> bytes:
    """Makes the metadata of a picture.

    Args:
        styles: that it shows.
        networks: fingerprint of the weights that drew it; None if it is not known.
        model: name and version, if it was exported.
        mixed: whether it shows sources or references, too.

    Returns:
        A packet of XMP, in UTF-8.
    """
    version = "; ".join(text for text in (networks and f"networks {networks}", model) if text)
    ours = {"networks": networks, "model": model}
    lines = [
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">',
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:stargan="{NAMESPACE}">',
        _element("Iptc4xmpExt:DigitalSourceType", MIXED if mixed else DRAWN),
        _element("Iptc4xmpExt:AISystemUsed", "StarGAN v2"),
        *([_element("Iptc4xmpExt:AISystemVersionUsed", version)] if version else []),
        _element("xmp:CreatorTool", _TOOL),
        *(_element(f"stargan:{name}", value) for name, value in ours.items() if value is not None),
        "<stargan:styles><rdf:Bag>",
        *(
            '<rdf:li rdf:parseType="Resource">'
            + "".join(_element(f"stargan:{name}", value) for name, value in told.items())
            + "</rdf:li>"
            for told in styles
        ),
        "</rdf:Bag></stargan:styles>",
        "</rdf:Description>",
        "</rdf:RDF>",
        "</x:xmpmeta>",
        '<?xpacket end="r"?>',
    ]
    return "\n".join(lines).encode()


def packet_of_served(styles: Sequence[Style], card: Mapping[str, Any]) -> bytes:
    """Makes the metadata of a picture that an exported model drew, by its model card; else as `packet`."""
    return packet(styles, card.get("networks"), f"{card['name']}, version {card['version']}")


def marked(image: bytes, packet: bytes) -> bytes:
    """Puts metadata into an encoded picture, whose pixels stay as they are.

    Args:
        image: PNG, JPEG or GIF without XMP, as this package and its exported models encode them.
        packet: as `packet` makes it; in JPEG at most 65,502 bytes.

    Returns:
        The picture with it.

    Raises:
        ValueError: it is another format.
    """
    if place := next((chunk.start for chunk in png_chunks.chunks(image) if chunk.kind == b"IDAT"), None):
        chunk = b"iTXt" + _PNG_HEAD + packet
        new = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    elif image.startswith(b"\xff\xd8"):
        # JFIF's segment wants to be the first.
        place = 4 + int.from_bytes(image[4:6]) if image[2:4] == b"\xff\xe0" else 2
        new = b"\xff\xe1" + struct.pack(">H", 2 + len(_JPEG_HEAD) + len(packet)) + _JPEG_HEAD + packet
    elif image.startswith(b"GIF89a"):
        colours = image[10]  # the table that follows, if there is one
        place = 13 + (3 << (colours & 7) + 1 if colours & 0x80 else 0)
        new = _GIF_HEAD + packet + _GIF_TAIL
    else:
        raise ValueError("it is neither PNG, JPEG nor GIF")
    return image[:place] + new + image[place:]


def mp4_box(packet: bytes) -> bytes:
    """Returns what the metadata are as a part of an MP4 file, which may stand at its end."""
    return struct.pack(">I", 24 + len(packet)) + b"uuid" + _MP4_BOX + packet


def _element(name: str, value: object) -> str:
    return f"<{name}>{escape(_NOT_IN_XML.sub(chr(0xFFFD), str(value)))}</{name}>"
