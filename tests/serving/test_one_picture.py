"""One picture is the same wherever it is read."""

import io

import numpy as np
import pytest
from PIL import Image

from data_prep.images import ImageOptions, prepare_image
from stargan_tf.config.images import UNRECORDED
from stargan_tf.data.images import decode_image, read_image, to_array
from stargan_tf.serving.sendable_images import as_png, is_sendable
from tests.icc_profiles import (
    DISPLAY_P3,
    cmyk_profile,
    rgb_profile,
)
from tests.serving.test_colour_decoding import CONVERTED, KEPT, P3, REFUSED
from tests.serving.test_image_decoding import (
    HEIGHT,
    ORIENTATION,
    WIDTH,
    decode,
    encode,
    noise,
    random_array,
)


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
