"""Images that look alike: perceptual hashes, and pairs across training and validation whose hashes are close."""

import functools
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

# Pairs that differ in more of the 64 bits are not alike. At most this many bits differing leave one of
# `_MOST_DIFFERENT + 1` bands of bits equal, which is how candidates are found without comparing all with all.
_MOST_DIFFERENT = 4
_BANDS = _MOST_DIFFERENT + 1
_BAND_WIDTH = -(-64 // _BANDS)
_GROUP_BITS = 5  # Looks are sent around in groups of many bands: one alone costs more than what is in it.

_SIDE = 32
_FREQUENCIES = 8
# Colour decides where shapes are alike, as those of two T-shirts: mean difference of 2 x 2 averages, of 255.
_THUMBNAIL_SIDE = 2
_THUMBNAIL_BYTES = 3 * _THUMBNAIL_SIDE**2
_MOST_COLOUR_DIFFERENCE = 8

_PACKED = struct.Struct(f"<Q?HII{_THUMBNAIL_BYTES}s")


class Look(NamedTuple):
    """What an image looks like, and where it is: small, since these are many and travel between workers.

    Attributes:
        bits: perceptual hash of 64 bits.
        is_val: whether it is of a validation split.
        label: index of its domain.
        shard: index of its shard.
        position: which example of the shard it is, from 0.
        thumbnail: 2 x 2 RGB pixels, 12 bytes.
    """

    bits: int
    is_val: bool
    label: int
    shard: int
    position: int
    thumbnail: bytes

    def pack(self) -> bytes:
        """Returns the look as bytes."""
        return _PACKED.pack(*self)


def look_at(image: Image.Image, is_val: bool = False, label: int = 0, shard: int = 0, position: int = 0) -> Look:
    """Describes what an image looks like.

    Args:
        image: an RGB image.
        is_val: whether it is of a validation split.
        label: index of its domain.
        shard: index of its shard.
        position: which example of the shard it is, from 0.

    Returns:
        The description.
    """
    if image.width % _SIDE == image.height % _SIDE == 0:
        small = image.reduce((image.width // _SIDE, image.height // _SIDE))  # As below, in a third of the time.
    else:
        small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    thumbnail = small.reduce(_SIDE // _THUMBNAIL_SIDE)
    return Look(_perceptual_hash(small), is_val, label, shard, position, thumbnail.tobytes())


def bands(looks: Iterable[Look]) -> dict[int, bytes]:
    """Gives each look in a group for each of its bands of bits; close looks share a band and so a group.

    Args:
        looks: those of a shard.

    Returns:
        Looks as bytes, one after the other, by a number for band and group.
    """
    groups: defaultdict[int, bytearray] = defaultdict(bytearray)
    for look in looks:
        packed = look.pack()
        for band in range(_BANDS):
            groups[band << _GROUP_BITS | _band_bits(look.bits, band) & (1 << _GROUP_BITS) - 1] += packed
    return {group: bytes(packed) for group, packed in groups.items()}


def _band_bits(bits: int, band: int) -> int:
    return bits >> band * _BAND_WIDTH & (1 << _BAND_WIDTH) - 1


def near_pairs(group: int, looks: Iterable[bytes]) -> Iterator[tuple[Look, Look, int]]:
    """Finds pairs across training and validation that look alike, among the images of a group.

    Args:
        group: the number that `bands` gave.
        looks: as bytes, several in each, in any order.

    Yields:
        For a validation image the closest training image with which it shares the band: both, and the number of
        differing bits.
    """
    by_band = defaultdict(list)
    for look in (Look(*values) for packed in looks for values in _PACKED.iter_unpack(packed)):
        by_band[_band_bits(look.bits, group >> _GROUP_BITS)].append(look)
    for sharing in by_band.values():
        yield from closest_pairs(sharing)


def closest_pairs(looks: Iterable[Look]) -> Iterator[tuple[Look, Look, int]]:
    """Finds pairs across training and validation that look alike, by comparing all with all.

    Args:
        looks: of both, in any order.

    Yields:
        For each validation image that has any the closest training image: both, and the number of differing bits.
    """
    looks = sorted(looks, key=lambda look: look[1:])
    train, val = ([look for look in looks if look.is_val == is_val] for is_val in (False, True))
    if not train or not val:
        return
    train_bits = np.array([look.bits for look in train], np.uint64)
    train_thumbnails = np.array([_thumbnail(look) for look in train])
    for look in val:
        distance = np.bitwise_count(train_bits ^ np.uint64(look.bits)).astype(np.int64)
        colour = np.abs(train_thumbnails - _thumbnail(look)).mean(axis=1)
        close = np.flatnonzero((distance <= _MOST_DIFFERENT) & (colour <= _MOST_COLOUR_DIFFERENCE))
        if len(close):
            best = close[np.argmin(distance[close])]
            yield look, train[best], int(distance[best])


def _perceptual_hash(image: Image.Image) -> int:
    """Hashes the coarse shapes of an image: which of its 8 x 8 lowest frequencies are above their median.

    After "Looks Like It" (hackerfactor.com, 2011), in whole numbers below 2^53, so that all machines agree, which the
    package imagehash, in rounded floats, does not promise.

    Args:
        image: an RGB image, 32 x 32 pixels.

    Returns:
        64 bits; images that look alike differ in few.
    """
    grey = np.frombuffer(image.convert("L").tobytes(), np.uint8).reshape(_SIDE, _SIDE)
    cosines = _cosines()
    frequencies = (cosines @ (grey - 128.0) @ cosines.T).ravel()
    # Of all but the first, which is the brightness. They are odd in number: the median is one of them.
    median = np.sort(frequencies[1:])[len(frequencies) // 2 - 1]
    return int.from_bytes(np.packbits(frequencies > median).tobytes(), "big")


def _thumbnail(look: Look) -> np.ndarray:
    return np.frombuffer(look.thumbnail, np.uint8).astype(np.int32)


@functools.cache
def _cosines() -> np.ndarray:
    """[frequency, position] of the cosine transform, times 1024 and rounded."""
    frequency, position = np.arange(_FREQUENCIES)[:, None], np.arange(_SIDE)[None, :]
    return np.round(1024 * np.cos(np.pi * frequency * (2 * position + 1) / (2 * _SIDE)))
