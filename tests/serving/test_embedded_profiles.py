"""Where a file holds its colour profile: segments of JPEG and chunks of PNG, in order, out of order, and hostile."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stargan_tf.config.images import UNRECORDED
from stargan_tf.data.images import decode_image
from stargan_tf.serving.sendable_images import as_png, is_sendable
from tests.icc_profiles import (
    DISPLAY_P3,
    cmyk_profile,
    gamma,
    rgb_profile,
)
from tests.serving.test_colour_decoding import COLOURS, CONVERTED, KEPT, OTHER, P3, steps
from tests.serving.test_image_decoding import (
    HEIGHT,
    WIDTH,
    decode,
    encode,
    png,
    random_array,
)

LONG = rgb_profile(DISPLAY_P3, more={b"long": np.random.default_rng(0).bytes(200_000)})


def segments(profile, size=60_000):
    parts = [profile[start : start + size] for start in range(0, len(profile), size)]
    return [(number, len(parts), part) for number, part in enumerate(parts, 1)]


def with_segments(parts, image=COLOURS, before_frame=True):
    data = encode(image, "JPEG", quality=95)
    added = b"".join(
        b"\xff\xe2" + struct.pack(">H", 16 + len(part)) + b"ICC_PROFILE\0" + bytes([number, count]) + part
        for number, count, part in parts
    )
    place = 2 if before_frame else data.index(b"\xff\xda")
    return data[:place] + added + data[place:]


JPEGS = {
    "one segment": with_segments(segments(P3)),
    "four segments": with_segments(segments(LONG)),
    "in another order": with_segments(segments(LONG)[::-1]),
    "200 segments": with_segments(segments(P3[:-1] + bytes(1), 3)),
    "grey": with_segments(segments(rgb_profile(DISPLAY_P3, gamma(1.8))), COLOURS.convert("L")),
    "a grey profile of colour": with_segments(segments(KEPT["of grey"])),
    "colour profile of CMYK": with_segments(segments(P3), COLOURS.convert("CMYK")),
    "one is missing": with_segments(segments(LONG)[1:]),
    "the last is missing": with_segments(segments(LONG)[:-1]),
    "numbered from 0": with_segments([(number - 1, count, part) for number, count, part in segments(LONG)]),
    "after the frame": with_segments(segments(P3), before_frame=False),
    "more than can be numbered": with_segments([(1, 255, b"a")] * 300),
    "an empty segment": with_segments([(1, 1, b"")]),
}
REFUSED_JPEGS = {
    "one is there twice": with_segments([segments(LONG)[0], *segments(LONG)[:1], *segments(LONG)[2:]]),
    "grey profile of grey": with_segments(segments(KEPT["of grey"]), COLOURS.convert("L")),
    "CMYK profile of CMYK": with_segments(segments(cmyk_profile()), COLOURS.convert("CMYK")),
    "empty CMYK profile of CMYK": with_segments(segments(KEPT["of CMYK"]), COLOURS.convert("CMYK")),
}


@pytest.mark.parametrize("case", JPEGS)
def test_profiles_of_jpegs(case):
    assert steps(JPEGS[case]) <= 1.001
    assert is_sendable(JPEGS[case])


@pytest.mark.parametrize("case", REFUSED_JPEGS)
def test_profiles_of_jpegs_that_are_refused(case):
    assert steps(REFUSED_JPEGS[case]) is None
    assert not is_sendable(REFUSED_JPEGS[case])
    assert steps(as_png(REFUSED_JPEGS[case], UNRECORDED)) == 0


def chunk(profile, name=b"name", method=0):
    return (b"iCCP", name + b"\0" + bytes([method]) + zlib.compress(profile))


def with_chunks(*chunks, colour_type=2, depth=8, samples=3):
    return png(depth, colour_type, random_array(HEIGHT, WIDTH, samples * depth // 8), *chunks)


RGBA = Image.fromarray(random_array(HEIGHT, WIDTH, 4))
PNGS = {
    "transparency": encode(RGBA, icc_profile=P3),
    "grey": encode(COLOURS.convert("L"), icc_profile=CONVERTED["Adobe RGB, gamma 1"]),
    "grey with transparency": encode(RGBA.convert("LA"), icc_profile=CONVERTED["Adobe RGB, gamma 1"]),
    "palette": encode(COLOURS.quantize(64), icc_profile=P3),
    "a transparent colour": encode(COLOURS, icc_profile=P3, transparency=COLOURS.getpixel((3, 3))),
    "16 bits": with_chunks(chunk(P3), depth=16),
    "16 bits with transparency": with_chunks(chunk(P3), colour_type=6, depth=16, samples=4),
    "a name of other letters": with_chunks(chunk(P3, b"\xc9cran 9300\xb0 " * 6)),
    "no name": with_chunks(chunk(P3, b"")),
    "two": with_chunks(chunk(P3), chunk(CONVERTED["ProPhoto, gamma 1.8"])),
    "also sRGB": with_chunks((b"sRGB", b"\0"), chunk(P3)),
    "sRGB alone": with_chunks((b"sRGB", b"\2")),
    "gamma and primaries": with_chunks(
        (b"gAMA", struct.pack(">I", 100_000)), (b"cHRM", struct.pack(">8I", *[31270, 32900, 70800, 29200] * 2))
    ),
    "coded colours": with_chunks((b"cICP", bytes([9, 16, 0, 1]))),
    "damaged bytes": with_chunks((b"iCCP", b"name\0\0" + b"x" * 300)),
    "a damaged checksum": with_chunks((b"iCCP", chunk(P3)[1][:-4] + b"sum?")),
    "cut in its checksum": with_chunks((b"iCCP", chunk(P3)[1][:-3])),
}
REFUSED_PNGS = {
    "grey profile of grey": encode(COLOURS.convert("L"), icc_profile=KEPT["of grey"]),
    "grey profile of grey with transparency": encode(RGBA.convert("LA"), icc_profile=KEPT["of grey"]),
    "many bytes": encode(COLOURS, icc_profile=LONG),
}
# Which no client can convert, since Pillow reads them neither.
HOSTILE = {
    "unfolds": with_chunks((b"iCCP", b"name\0\0" + zlib.compress(bytes(30_000_000)))),
    "unfolds far": with_chunks((b"iCCP", b"name\0\0" + zlib.compress(bytes(300_000_000)))),
    "another method": with_chunks(chunk(P3, method=1)),
    "no end of the name": with_chunks((b"iCCP", b"n" * 200)),
    "empty": with_chunks((b"iCCP", b"")),
}


@pytest.mark.parametrize("case", PNGS)
def test_profiles_of_pngs(case):
    assert steps(PNGS[case]) <= 1.001
    assert is_sendable(PNGS[case])


@pytest.mark.parametrize("case", REFUSED_PNGS)
def test_profiles_of_pngs_that_are_refused(case):
    assert steps(REFUSED_PNGS[case]) is None
    assert not is_sendable(REFUSED_PNGS[case])
    assert steps(as_png(REFUSED_PNGS[case], UNRECORDED)) == 0


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_profiles_are_refused(case):
    assert decode(HOSTILE[case])[1] == [OTHER]


def test_rows_do_not_depend_on_one_another():
    rows = [
        encode(COLOURS, icc_profile=P3),
        encode(COLOURS),
        REFUSED_JPEGS["grey profile of grey"],
        JPEGS["four segments"],
        PNGS["transparency"],
        encode(COLOURS, icc_profile=KEPT["sRGB"]),
        b"",
    ]
    images, errors = decode(*rows)
    assert errors == ["", "", OTHER, "", "", "", "image_bytes is empty"]
    for row, image in zip(rows, images, strict=True):
        np.testing.assert_array_equal(image, decode(row)[0][0])


def test_a_long_profile_in_a_png_is_unfolded_but_not_sent():
    """The client cannot know how far it is folded."""
    data = with_chunks(chunk(rgb_profile(DISPLAY_P3, more={b"long": bytes(900_000)})))
    assert steps(data) <= 1.001 and not is_sendable(data)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_a_profile_that_does_not_hold_is_not_written(kind):
    """RGB's for CMYK; in the PNG, which is RGB, it would hold."""
    data = encode(COLOURS.convert("CMYK"), kind, icc_profile=CONVERTED["ProPhoto, gamma 1.8"])
    sent = as_png(data, UNRECORDED)
    np.testing.assert_array_equal(np.asarray(decode_image(sent)), np.asarray(decode_image(data)))
