"""The comparison of the job with Pillow, on one small image of each kind, and on what it must find."""

import io

import numpy as np
import pytest
from PIL import Image

from tests import compare_with_pillow
from tests.icc_profiles import SWAPPED, rgb_profile
from tests.png_files import chunk, insert, png

SMOOTH = Image.merge("RGB", [Image.linear_gradient("L").resize((96, 80)).rotate(angle) for angle in (0, 180, 0)])


def encode(kind, image=SMOOTH, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def turned(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def files():
    """By name, images of every format, mode, orientation, and some that are none."""
    see_through = SMOOTH.copy()
    see_through.putalpha(Image.linear_gradient("L").resize(SMOOTH.size))
    grey = SMOOTH.getchannel("R")
    yield from ((f"turned_{value}.jpg", encode("JPEG", exif=turned(value))) for value in range(2, 9))
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"):
        yield f"plain.{kind.lower()}", encode(kind)
    for kind in ("PNG", "WEBP", "TIFF", "AVIF"):
        yield f"see_through.{kind.lower()}", encode(kind, see_through)
    for mode in ("1", "L", "LA", "P", "CMYK", "I;16", "LAB"):
        image = see_through.convert(mode) if mode == "LA" else grey.convert(mode) if mode == "I;16" else None
        yield f"{mode.replace(';', '_')}.tif", encode("TIFF", image or SMOOTH.convert(mode))
    yield "inks.jpg", encode("JPEG", SMOOTH.convert("CMYK"))
    yield "profile.png", encode("PNG", icc_profile=rgb_profile(SWAPPED))
    yield "deep.png", png(np.asarray(grey, np.uint16) * 200)
    yield "deep_colours.png", png(np.asarray(SMOOTH, np.uint16) * 256)
    yield "interlaced.png", png(np.asarray(SMOOTH)[::-1], interlaced=True)
    yield "without_end.png", encode("PNG", SMOOTH.rotate(90))[:-12]
    yield "long_text.png", insert(encode("PNG", SMOOTH.rotate(180)), chunk(b"tEXt", b"Comment\0" + b"x" * 70_000_000))
    yield "frames.gif", encode("GIF", SMOOTH.rotate(5), save_all=True, append_images=[SMOOTH])
    yield "fax.tif", encode("TIFF", grey.convert("1").rotate(90), compression="group4")
    yield "again.jpeg", encode("JPEG")
    yield "page.jpg", b"<html>"
    yield "cut.jpg", encode("JPEG", SMOOTH.rotate(7))[:-200]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("any") / "deep" / "er"
    folder.mkdir(parents=True)
    for name, data in files():
        ending = {"webp": "webp", "jpeg": "jpg"}.get(name.rpartition(".")[2], name.rpartition(".")[2])
        (folder / f"{name.rpartition('.')[0]}.{ending}" if name != "again.jpeg" else folder / name).write_bytes(data)
    (folder / "notes.txt").write_text("no image")
    return folder.parent


@pytest.mark.slow
def test_one_image_of_each_kind(folder, tmp_path):
    result = compare_with_pillow.compare(folder, tmp_path)
    assert result.problems == []
    assert result.files == len(list(files()))
    assert result.outcomes == {
        "written": result.files - 3,
        "duplicate": 1,
        "rejected: not_an_image": 1,
        "rejected: damaged": 1,
    }
    assert set(result.formats) == {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"}


@pytest.mark.slow
def test_what_differs_is_found(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(compare_with_pillow, "_in_srgb", lambda image, profile: image.convert("RGB"))
    refused = compare_with_pillow._read_with_pillow
    monkeypatch.setattr(
        compare_with_pillow,
        "_read_with_pillow",
        lambda path: (SMOOTH, "GIF") if path.name == "page.jpg" else refused(path),
    )
    first, second = sorted(compare_with_pillow.compare(folder, tmp_path).problems)
    assert "page.jpg is not_an_image" in first and "profile.png (PNG) differs" in second
