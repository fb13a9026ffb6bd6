"""Colour profiles in the graph: what is converted is what Pillow makes of it, and what is not is refused."""

import struct

import numpy as np
import pytest
from PIL import ImageCms

from stargan_tf.config.images import UNRECORDED
from stargan_tf.data.colour_profiles import is_srgb
from stargan_tf.data.images import decode_image
from stargan_tf.serving.sendable_images import as_png, is_sendable
from tests.icc_profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    SRGB_CURVE,
    SWAPPED,
    curv,
    gamma,
    grey_profile,
    icc_profile,
    lut,
    lut_profile,
    para,
    rgb_profile,
    srgb_table,
)
from tests.serving.test_image_decoding import (
    by_pillow,
    decode,
    encode,
    noise,
)

OTHER = (
    "image_bytes has an ICC profile that is not one of RGB by a matrix and curves; "
    "stargan_tf.serving.client converts such images to sRGB"
)
COLOURS = noise()

CURVES = {
    "gamma 1": gamma(1),
    "no entries": curv(),
    "gamma 1.8": gamma(1.8),
    "gamma 2.2": gamma(2.19921875),
    "gamma 0.5": gamma(0.5),
    "two entries": curv(0, 65535),
    "three entries": curv(0, 12000, 65535),
    "4096 entries": srgb_table(4096),
    "type 0": para(0, 2.4),
    "type 1": para(1, 2.2, 1.1, -0.1),
    "type 2": para(2, 2.2, 1.1, -0.1, 0),
    "type 3": SRGB_CURVE,
    "type 4": para(4, 2.2, 0.95, 0.05, 0.1, 0.05, 0, 0),
}
PRIMARIES = {"sRGB": SRGB, "Display P3": DISPLAY_P3, "Adobe RGB": ADOBE_RGB, "ProPhoto": PROPHOTO, "swapped": SWAPPED}

CONVERTED = {
    **{f"{p}, {c}": rgb_profile(PRIMARIES[p], CURVES[c]) for p in PRIMARIES for c in CURVES},
    "curves differ": rgb_profile(DISPLAY_P3, (gamma(1.8), SRGB_CURVE, srgb_table(64))),
    "version 4 with chad": rgb_profile(
        DISPLAY_P3, more={b"chad": b"sf32\0\0\0\0" + struct.pack(">9i", *[70000, 1, 2] * 3)}, version=4
    ),
    "an unusual white": rgb_profile(
        ADOBE_RGB, gamma(2.2), {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 62289, 65536, 71372)}
    ),
    "black and luminance": rgb_profile(
        ADOBE_RGB, gamma(2.2), {b"bkpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 900, 900, 900)}
    ),
    "of a scanner": rgb_profile(PROPHOTO, gamma(1.8), device=b"scnr"),
    "of a printer": rgb_profile(PROPHOTO, gamma(1.8), device=b"prtr"),
    "tables for printing": rgb_profile(DISPLAY_P3, more={b"B2A0": b"mft2" + bytes(80)}),
    "a space": rgb_profile(PROPHOTO, gamma(1.8), device=b"spac", version=4),
    "many other tags": rgb_profile(ADOBE_RGB, gamma(2.2), {b"x%03d" % i: bytes(40) for i in range(90)}),
    "bytes after its end": rgb_profile(ADOBE_RGB, gamma(2.2)) + bytes(100),
}
REFUSED = {
    "tables": lut_profile(0.8, 0.8),
    "tables and a matrix": rgb_profile(DISPLAY_P3, more={b"A2B0": lut(np.linspace(0, 1, 256), np.ones((2, 2, 2, 3)))}),
    "black that is not dark": rgb_profile(DISPLAY_P3, curv(300, 20000, 65535)),
    "black of a formula": rgb_profile(ADOBE_RGB, para(4, 2.2, 0.95, 0.05, 0.1, 0.05, 0.01, 0.02)),
    "inverse": rgb_profile(SRGB, curv(65535, 0)),
    "PCS Lab": rgb_profile(DISPLAY_P3, pcs=b"Lab "),
    "too many entries": rgb_profile(DISPLAY_P3, srgb_table(4097)),
    "cut": rgb_profile(ADOBE_RGB, gamma(2.2))[:-8],
    "two of a tag": rgb_profile(ADOBE_RGB, gamma(2.2)).replace(b"cprt", b"rXYZ"),
    "no green": icc_profile({b"rXYZ": b"XYZ "}),
    "a link": rgb_profile(ADOBE_RGB, gamma(2.2), device=b"link"),
    "a type of curve that is none": rgb_profile(ADOBE_RGB, para(5, 1, 1, 1)),
    "a version to come": rgb_profile(ADOBE_RGB, gamma(2.2), version=128),
    "light beyond numbers": rgb_profile(((30_000, 1, 1), *ADOBE_RGB[1:])),
    "division by zero": rgb_profile(ADOBE_RGB, para(1, -1, 0, 0)),
}
KEPT = {
    "sRGB": rgb_profile(),
    "Pillow's": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "sRGB, 1024 entries": rgb_profile(SRGB, srgb_table()),
    "nonsense": b"no profile",
    "long nonsense": b"no profile" * 40,
    "of grey": grey_profile(gamma(1)),
    "of CMYK": icc_profile({}, space=b"CMYK", pcs=b"Lab "),
    "of Lab": icc_profile({}, space=b"Lab ", pcs=b"Lab "),
}


def steps(data):
    """The largest difference from Pillow, in steps of 1/255; None where the profile is refused."""
    (image,), (error,) = decode(data)
    assert error in ("", OTHER)
    return None if error else np.abs(image - by_pillow(data)).max() * 127.5


def differs(data):
    return np.abs(np.asarray(decode_image(data), int) - np.asarray(COLOURS, int)).max()


@pytest.mark.parametrize("case", CONVERTED)
def test_matrix_and_curves_are_converted_as_by_pillow(case):
    data = encode(COLOURS, icc_profile=CONVERTED[case])
    if not is_srgb(CONVERTED[case]):
        assert differs(data) > 5
    assert steps(data) <= 1.001
    assert is_sendable(data)


@pytest.mark.parametrize("case", REFUSED)
def test_other_profiles_are_refused_and_converted_by_the_client(case):
    data = encode(COLOURS, icc_profile=REFUSED[case])
    assert steps(data) is None
    assert not is_sendable(data)
    sent = as_png(data, UNRECORDED)
    assert is_sendable(sent) and b"iCCP" not in sent and steps(sent) == 0
    np.testing.assert_array_equal(np.asarray(decode_image(sent)), np.asarray(decode_image(data)))


@pytest.mark.parametrize("case", KEPT)
def test_a_profile_that_changes_nothing_costs_nothing(case):
    data = encode(COLOURS, icc_profile=KEPT[case])
    assert differs(data) == steps(data) == 0
    assert is_sendable(data)


P3 = CONVERTED["Display P3, type 3"]


def test_a_large_image_is_converted_in_parts():
    image = noise(400, 500)
    data = encode(image, icc_profile=P3)
    assert steps(data) <= 2.001


@pytest.mark.parametrize("seed", range(3))
def test_corrupted_profiles_do_no_harm(seed):
    """Whatever the graph takes is what Pillow makes of it."""
    rng = np.random.default_rng(seed)
    profiles = [*CONVERTED.values(), *KEPT.values(), *REFUSED.values()]
    rows = []
    for _ in range(60):
        profile = bytearray(profiles[rng.integers(len(profiles))])
        for place in rng.integers(0, min(len(profile), 600), rng.integers(1, 4)):
            profile[place] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, rng.integers(256)])
        rows.append(encode(COLOURS, icc_profile=bytes(profile)))
    images, errors = decode(*rows)
    assert set(errors) == {"", OTHER}
    for row, image, error in zip(rows, images, errors, strict=True):
        if not error:
            assert np.abs(image - by_pillow(row)).max() * 127.5 <= 2.001
        elif is_sendable(row):
            pytest.fail("the client sends what the graph refuses")
