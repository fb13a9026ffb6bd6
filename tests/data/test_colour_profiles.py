"""Which profiles are that of sRGB, told by what they do to colours; and what becomes of the pixels of others."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from data_prep.images import ImageOptions, prepare_image
from stargan_tf.data.colour_profiles import is_srgb, to_srgb
from stargan_tf.data.images import decode_image
from tests.icc_profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    SRGB_CURVE,
    SRGB_PARAMETERS,
    SWAPPED,
    gamma,
    grey_profile,
    icc_profile,
    lut_profile,
    para,
    rgb_profile,
    srgb_table,
)

SAME_AS_SRGB = {
    "Pillow's": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "parametric curves": rgb_profile(name="c"),
    "version 4": rgb_profile(name="c", version=4),
    "table of 1024": rgb_profile(SRGB, srgb_table(), name="sRGB IEC61966-2.1"),
    "table of 64": rgb_profile(SRGB, srgb_table(64), name="c2"),
    "five parameters and two": rgb_profile(SRGB, para(4, *SRGB_PARAMETERS, 0, 0)),
    "tables, of which the colorimetric is exact": lut_profile(0.8, name="v4 preference"),
    "tables, of which the perceptual is exact": lut_profile(1, 0.8),
    "grey": grey_profile(SRGB_CURVE),
}
OTHERS = {
    "Display P3 Gamut with sRGB Transfer": rgb_profile(DISPLAY_P3, name="Display P3 Gamut with sRGB Transfer"),
    "wide gamut called sRGB": rgb_profile(PROPHOTO, gamma(1.8), name="sRGB IEC61966-2.1"),
    "esRGB": rgb_profile(SRGB, para(0, 1), name="esRGB"),
    "gamma 2.2 of sRGB": rgb_profile(SRGB, gamma(2.2), name="sRGB with gamma 2.2"),
    "one curve differs": rgb_profile(SRGB, (SRGB_CURVE, SRGB_CURVE, gamma(2.0)), name="sRGB"),
    "swapped primaries": rgb_profile(SWAPPED, name="sRGB"),
    "Adobe RGB": rgb_profile(ADOBE_RGB, gamma(2.19921875)),
    "tables": lut_profile(0.8, 0.8, name="sRGB"),
    "grey of gamma 1": grey_profile(gamma(1), name="sRGB grey"),
}


@pytest.mark.parametrize("case", SAME_AS_SRGB)
def test_the_profile_of_srgb_is_known_by_its_content(case):
    assert is_srgb(SAME_AS_SRGB[case])


@pytest.mark.parametrize("case", OTHERS)
def test_another_profile_is_another_whatever_its_name(case):
    assert not is_srgb(OTHERS[case])


@pytest.mark.parametrize(
    "profile",
    [None, b"", b"no profile", SAME_AS_SRGB["version 4"][:300], icc_profile({}), icc_profile({}, space=b"Lab ")],
)
def test_what_says_nothing_is_srgb(profile):
    assert is_srgb(profile)


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colours(*shape):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


def steps(one, other):
    return np.abs(np.asarray(one, int) - np.asarray(other, int)).max()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("case", ["Pillow's", "table of 1024", "table of 64", "version 4"])
def test_a_file_in_srgb_is_stored_byte_for_byte(case, kind):
    data = encode(colours(16, 24, 3), kind, icc_profile=SAME_AS_SRGB[case])
    prepared = prepare_image(data, ImageOptions(image_size=(16, 24)))
    assert prepared.kept and prepared.data == data


@pytest.mark.parametrize("case", ["Display P3 Gamut with sRGB Transfer", "wide gamut called sRGB", "esRGB"])
def test_a_file_in_other_colours_is_converted(case):
    image = colours(16, 24, 3)
    data = encode(image, icc_profile=OTHERS[case])
    prepared = prepare_image(data, ImageOptions(image_size=(16, 24), encoding="png"))
    assert not prepared.kept
    stored = Image.open(io.BytesIO(prepared.data))
    expected = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(OTHERS[case])), ImageCms.createProfile("sRGB")
    )
    assert steps(stored, image) > 10 and steps(stored, expected) == 0


def test_display_p3_by_its_formula():
    """Linear light times the primaries, as the standard has it."""
    image = colours(16, 24, 3)
    light = np.asarray(image) / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ np.array(DISPLAY_P3) @ np.linalg.inv(np.array(SRGB)), 0, 1)
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert steps(to_srgb(image, OTHERS["Display P3 Gamut with sRGB Transfer"]), np.round(expected)) <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16"])
def test_a_grey_profile_holds_for_every_kind_of_grey(mode):
    shades = Image.linear_gradient("L").resize((24, 256))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(shades).astype(np.uint16) * 257)
    elif mode == "LA":
        image = Image.merge("LA", (shades, Image.new("L", shades.size, 255)))
    else:
        image = shades.convert(mode)
    profile = OTHERS["grey of gamma 1"]
    decoded = decode_image(encode(image, icc_profile=profile))
    eight_bits = shades if mode != "1" else image.convert("L")
    np.testing.assert_array_equal(np.asarray(decoded), np.asarray(to_srgb(eight_bits, profile)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_a_profile_of_another_colour_space_is_ignored(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = colours(16, 24, 3).convert(mode)
    other = OTHERS["Adobe RGB"] if mode == "CMYK" else OTHERS["grey of gamma 1"]
    with_profile, without = (decode_image(encode(image, kind, icc_profile=profile)) for profile in (other, None))
    assert steps(with_profile, without) == 0


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_a_profile_that_does_not_hold_is_not_passed_on(mode):
    """Pillow would write it into the PNG that is stored, where others would convert by it."""
    image = colours(16, 24, 3).convert(mode)
    profile = {"RGB": OTHERS["grey of gamma 1"], "CMYK": OTHERS["Adobe RGB"], "L": SAME_AS_SRGB["grey"]}[mode]
    image.info["icc_profile"] = profile
    assert "icc_profile" not in to_srgb(image, profile).info


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_converted_is_stored_without_the_time(case):
    """The profile of sRGB that Pillow would write into the PNG is made anew in every process and holds the time."""
    image = colours(16, 24, 3).convert("L" if "grey" in case else "RGB")
    data = encode(image, icc_profile=OTHERS[case])
    assert b"iCCP" in data
    assert b"iCCP" not in prepare_image(data, ImageOptions(image_size=(16, 24), encoding="png")).data
