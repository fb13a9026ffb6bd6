"""ICC profiles of every kind, made from their definition (ICC.1:2022), for tests."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

# X, Y, Z of red, green and blue as seen under D50, which profiles are relative to.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))
SWAPPED = (SRGB[1], SRGB[0], SRGB[2])

D50 = (0.9642, 1.0, 0.8249)
SRGB_PARAMETERS = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def fixed(*values: float) -> bytes:
    """Numbers as s15Fixed16Number."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*values)


def curv(*entries: int) -> bytes:
    """A curve of entries of 16 bits: none for the identity, one for a gamma in 256ths, or a table."""
    return b"curv\0\0\0\0" + struct.pack(f">I{len(entries)}H", len(entries), *entries)


def gamma(value: float) -> bytes:
    return curv(round(256 * value))


def para(kind: int, *parameters: float) -> bytes:
    """A parametric curve, of type 0 to 4."""
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*parameters)


def srgb_table(points: int = 1024) -> bytes:
    x = np.linspace(0, 1, points)
    y = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return curv(*np.round(y * 65535).astype(int).tolist())


SRGB_CURVE = para(3, *SRGB_PARAMETERS)


def text(name: str, version: int = 2) -> bytes:
    """A description, as versions 2 and 4 write it."""
    if version == 2:
        return b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode() + bytes(1 + 8 + 3 + 67)
    content = name.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(content), 28) + content


def lut(curve: Sequence[float], corners: np.ndarray) -> bytes:
    """A table of 16 bits (mft2) from n channels to XYZ: a curve for each channel, then corners [2, ... 2, 3]."""
    channels = corners.ndim - 1
    identity = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    entries = [round(65535 * value) for value in curve]
    corners = np.round(np.clip(corners, 0, 1.9999) * 32768).astype(int).ravel()
    content = struct.pack(">BBBB", channels, 3, 2, 0) + fixed(*identity) + struct.pack(">HH", len(entries), 2)
    content += struct.pack(f">{channels * len(entries)}H", *entries * channels)
    content += struct.pack(f">{len(corners)}H", *corners) + struct.pack(">6H", *(0, 65535) * 3)
    return b"mft2\0\0\0\0" + content


def icc_profile(
    tags: Mapping[bytes, bytes],
    name: str = "a profile",
    space: bytes = b"RGB ",
    pcs: bytes = b"XYZ ",
    version: int = 2,
    device: bytes = b"mntr",
) -> bytes:
    """A profile of given tags."""
    tags = {b"desc": text(name, version), b"wtpt": xyz(*D50), b"cprt": text("none", version), **tags}
    offset, table, content = 132 + 12 * len(tags), b"", b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", offset + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    size = offset + len(content)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", version << 24, device, space, pcs)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + fixed(*D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


def rgb_profile(
    primaries: Sequence[Sequence[float]] = SRGB,
    curves: bytes | Sequence[bytes] = SRGB_CURVE,
    more: Mapping[bytes, bytes] | None = None,
    **options,
) -> bytes:
    """A profile of a matrix and curves: one for all channels, or one for each."""
    curves = (curves,) * 3 if isinstance(curves, bytes) else curves
    tags = {name + b"XYZ": xyz(*colour) for name, colour in zip((b"r", b"g", b"b"), primaries, strict=True)}
    tags |= {name + b"TRC": curve for name, curve in zip((b"r", b"g", b"b"), curves, strict=True)}
    return icc_profile(tags | dict(more or {}), **options)


def grey_profile(curve: bytes, **options) -> bytes:
    return icc_profile({b"kTRC": curve}, space=b"GRAY", **options)


def lut_profile(perceptual: float, colorimetric: float = 1.0, **options) -> bytes:
    """An RGB profile of tables: that of sRGB, its light taken times a factor for each of two intents."""
    curve = np.frombuffer(srgb_table()[12:], ">u2") / 65535
    grid = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1)
    corners = grid @ np.array(SRGB)
    tables = {b"A2B0": lut(curve * perceptual, corners), b"A2B1": lut(curve * colorimetric, corners)}
    return icc_profile(tables, **options)


def cmyk_profile(**options) -> bytes:
    """A profile of tables for four inks, each of which takes light away from the white of sRGB."""
    grid = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1)
    corners = ((1 - grid[..., :3]) * (1 - grid[..., 3:])) @ np.array(SRGB)
    table = lut(np.linspace(0, 1, 256), corners)
    return icc_profile({b"A2B0": table}, space=b"CMYK", device=b"prtr", **options)
