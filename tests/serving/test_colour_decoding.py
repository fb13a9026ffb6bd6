"""Colour profiles in the graph: what is converted is what Pillow makes of it, and what is not is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from data_prep.images import ImageOptions, prepare_image
from stargan_tf.config.images import UNRECORDED
from stargan_tf.data.colour_profiles import is_srgb
from stargan_tf.data.images import decode_image, read_image, to_array
from stargan_tf.serving.sendable_images import as_png, is_sendable
from tests.icc_profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    SRGB_CURVE,
    SWAPPED,
    cmyk_profile,
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
    HEIGHT,
    ORIENTATION,
    WIDTH,
    by_pillow,
    decode,
    encode,
    noise,
    png,
    random_array,
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
    assert is_sendable(sent) and steps(sent) == 0
    np.testing.assert_array_equal(np.asarray(decode_image(sent)), np.asarray(decode_image(data)))


@pytest.mark.parametrize("case", KEPT)
def test_a_profile_that_changes_nothing_costs_nothing(case):
    data = encode(COLOURS, icc_profile=KEPT[case])
    assert differs(data) == steps(data) == 0
    assert is_sendable(data)


P3 = CONVERTED["Display P3, type 3"]
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


def test_a_large_image_is_converted_in_parts():
    image = noise(400, 500)
    data = encode(image, icc_profile=P3)
    assert steps(data) <= 2.001


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


def turned(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return {"exif": exif}


PICTURES = {
    "plain": encode(noise(60, 80)),
    "camera's": encode(noise(60, 80), "JPEG", icc_profile=CONVERTED["Adobe RGB, gamma 2.2"], **turned(6)),
    "telephone's": encode(noise(60, 80), "JPEG", icc_profile=P3, **turned(3)),
    "telephone's, WebP": encode(noise(60, 80), "WEBP", lossless=True, icc_profile=P3, **turned(8)),
    "with transparency": encode(Image.fromarray(random_array(60, 80, 4)), icc_profile=P3),
    "by tables": encode(noise(60, 80), "JPEG", icc_profile=REFUSED["tables"], **turned(5)),
    "grey": encode(noise(60, 80).convert("L"), icc_profile=KEPT["of grey"], **turned(7)),
    "for print": encode(noise(60, 80).convert("CMYK"), "JPEG", quality=95, icc_profile=cmyk_profile()),
    "Display P3 named sRGB": encode(noise(60, 80), icc_profile=rgb_profile(DISPLAY_P3, name="sRGB")),
}


@pytest.mark.parametrize("case", PICTURES)
def test_one_picture_is_the_same_in_job_sampler_client_and_graph(case):
    data = PICTURES[case]
    job = prepare_image(data, ImageOptions(image_size=(HEIGHT, WIDTH), encoding="png")).data
    sampler = read_image(data, (HEIGHT, WIDTH), UNRECORDED)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(job))), np.asarray(sampler))
    sent = data if is_sendable(data) else as_png(data, UNRECORDED)
    (image,), errors = decode(sent)
    assert errors == [""]
    limit = 2.001 if sent is data else 1.001
    assert np.abs(image - to_array(sampler)).max() * 127.5 <= limit


def test_a_profile_for_print_changes_colours():
    """So that its conversion is seen above."""
    inks = noise().convert("CMYK")
    by_profile, plain = (
        np.asarray(decode_image(encode(inks, "TIFF", icc_profile=profile)), int) for profile in (cmyk_profile(), None)
    )
    assert np.abs(by_profile - plain).mean() > 5
