"""ICC profiles that the served graph follows: those of RGB by a matrix and curves.

The graph reads them in `decoding.icc`; what it refuses is told here by the same rules, for clients that have no
TensorFlow. Source: ICC.1:2022.
"""

import struct

import numpy as np

_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
_CHANNELS = {b"RGB ": (1, 3), b"GRAY": (1,), b"CMYK": (4,)}
_TABLES = (b"A2B", b"D2B")
_MAX_VERSION, _MAX_TAGS = 4, 100
_MAX_ENTRIES = 4096
_PARAMETERS = (1, 3, 4, 5, 7)  # Of parametric curves, by their type.


def is_followed(profile: bytes, channels: int) -> bool:
    """Tells what the graph does with an image.

    Args:
        profile: its ICC profile.
        channels: how many the image has, without transparency: 1 (grey), 3 or 4 (CMYK).

    Returns:
        Whether the graph converts it, or rightly takes its pixels as they are, as the profile means nothing for them.
    """
    if len(profile) < 132 or profile[36:40] != b"acsp" or channels not in _CHANNELS.get(profile[16:20], ()):
        return True
    size, count = struct.unpack(">I", profile[:4])[0], struct.unpack(">I", profile[128:132])[0]
    profile = profile[:size]
    if profile[8] > _MAX_VERSION or count > _MAX_TAGS:
        return False
    if profile[12:16] not in _CLASSES or profile[16:24] != b"RGB XYZ ":
        return False
    try:
        tags = [struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(count)]
        needed = [tag for tag in tags if tag[0] in (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")]
        if len(needed) != 6 or len({tag[0] for tag in needed}) != 6 or any(tag[0][:3] in _TABLES for tag in tags):
            return False
        for name, start, length in needed:
            content = profile[start:]
            right = _is_colour(content, length) if name.endswith(b"XYZ") else length >= 12 and _is_sane(_light(content))
            if start + length > len(profile) or not right:
                return False
    except struct.error:  # It is cut.
        return False
    return True


def _is_colour(content: bytes, length: int) -> bool:
    """Whether this is X, Y, Z; with larger numbers those of Little CMS overflow."""
    return (
        content.startswith(b"XYZ ")
        and length >= 20
        and all(abs(number) < 2 * 65536 for number in struct.unpack_from(">3i", content, 8))
    )


def _light(curve: bytes) -> np.ndarray:
    """Light of the values 0 to 255; NaN if this is no curve that is read."""
    x = np.arange(256) / 255
    (entries,), (kind,) = struct.unpack_from(">I", curve, 8), struct.unpack_from(">H", curve, 8)
    if curve.startswith(b"curv") and entries <= _MAX_ENTRIES:
        values = np.array(struct.unpack_from(f">{entries}H", curve, 12))
        if entries > 1:
            return np.interp(x, np.linspace(0, 1, entries), values / 65535)
        return x ** (values[0] / 256 if entries else 1)
    if not curve.startswith(b"para") or kind >= len(_PARAMETERS):
        return np.full(256, np.nan)
    given = np.array(struct.unpack_from(f">{_PARAMETERS[kind]}i", curve, 12)) / 65536
    g, a, b, c, d, e, f = np.pad(given, (0, 7 - len(given)))
    with np.errstate(all="ignore"):
        if kind == 0:
            a, d = 1.0, 0.0
        elif kind < 3:
            # From -b / a on, above a constant.
            c, d, e, f = 0.0, -b / a, c, c
        return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def _is_sane(light: np.ndarray) -> bool:
    """Little CMS makes up for a black that is not dark, in another way than the graph could."""
    return bool(light[0] == 0 and light[-1] > 0.5 and (light >= 0).all() and (light < 2).all())
