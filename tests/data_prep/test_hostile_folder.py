"""A folder with everything that real piles of images have, and some things that only attackers make."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.data_prep.jobs import noise, read_images, read_lines, run

RED_GREEN = np.zeros((16, 24, 3), np.uint8)
RED_GREEN[:8, :, 0], RED_GREEN[8:, :, 1] = 255, 255  # Upper half red, lower half green.


def encode(image, kind="PNG", **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def png(width, height, bit_depth, colour_type, rows):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def rotated():
    """Stored upside down, and EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 3
    return encode(Image.fromarray(RED_GREEN[::-1]), "JPEG", quality=95, exif=exif)


def half_transparent():
    pixels = np.full((16, 24, 4), (0, 0, 255, 255), np.uint8)
    pixels[:, 12:, 3] = 0  # The right half shows the background.
    return encode(Image.fromarray(pixels))


def palette_with_alpha():
    image = Image.new("P", (24, 16), 1)
    image.putpalette([0, 0, 0, 255, 255, 0])  # Colour 1 is yellow, and index 0 transparent.
    image.paste(0, (12, 0, 24, 16))
    return encode(image, transparency=0)


def wide_gamut():
    """Pure red of a profile whose red and green are swapped: in sRGB that is green."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    tags = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    for field in (4, 8):
        red, green = tags[b"rXYZ"] + field, tags[b"gXYZ"] + field
        profile[red : red + 4], profile[green : green + 4] = profile[green : green + 4], profile[red : red + 4]
    name = bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB", b"swap")
    return encode(Image.new("RGB", (24, 16), (255, 0, 0)), icc_profile=name)


def deep_grey():
    """16 bits, of which Pillow's own conversion makes white."""
    return png(24, 16, 16, 0, b"".join(b"\0" + struct.pack(">H", 0x8080) * 24 for _ in range(16)))


def deep_colour():
    return png(24, 16, 16, 2, b"".join(b"\0" + struct.pack(">HHH", 0xFFFF, 0x8080, 0) * 24 for _ in range(16)))


def animated(kind):
    return encode(
        Image.new("RGB", (24, 16), "red"), kind, save_all=True, append_images=[Image.new("RGB", (24, 16), "lime")]
    )


whole = encode(noise(16, 24, 1), "JPEG")

# What each file must become: a colour at the left and at the right, or None where any pixels will do.
GOOD = {
    "plain.jpg": (encode(noise(20, 24, 2), "JPEG"), None),
    "UPPER.JPEG": (encode(noise(20, 24, 3), "JPEG"), None),
    "bitmap.bmp": (encode(noise(20, 24, 4), "BMP"), None),
    "lossless.webp": (encode(noise(20, 24, 5), "WEBP"), None),
    "tiff.TIF": (encode(noise(20, 24, 6), "TIFF"), None),
    "grey.png": (encode(Image.new("L", (24, 16), 99)), ((99, 99, 99), (99, 99, 99))),
    "cmyk.jpg": (
        encode(Image.new("CMYK", (24, 16), (255, 0, 0, 0)), "JPEG", quality=95),
        ((0, 255, 255), (0, 255, 255)),
    ),
    "deep_grey.png": (deep_grey(), ((128, 128, 128), (128, 128, 128))),
    "deep_colour.png": (deep_colour(), ((255, 128, 0), (255, 128, 0))),
    "animated.gif": (animated("GIF"), ((255, 0, 0), (255, 0, 0))),
    "animated.png": (animated("PNG"), ((255, 0, 0), (255, 0, 0))),
    "animated.webp": (animated("WEBP"), ((255, 0, 0), (255, 0, 0))),
    "alpha.png": (half_transparent(), ((0, 0, 255), (255, 0, 255))),
    "palette_with_alpha.png": (palette_with_alpha(), ((255, 255, 0), (255, 0, 255))),
    "wide_gamut.png": (wide_gamut(), ((0, 255, 0), (0, 255, 0))),
    "rotated.jpg": (rotated(), None),
    "png_inside.jpg": (encode(Image.new("RGB", (24, 16), (1, 2, 3))), ((1, 2, 3), (1, 2, 3))),
    "name with spaces.png": (encode(noise(16, 24, 7)), None),
    "new\nline.png": (encode(noise(16, 24, 8)), None),
    "ünïcödé.png": (encode(noise(16, 24, 9)), None),
    os.fsdecode(b"not_utf8_\xff.png"): (encode(noise(16, 24, 10)), None),
    "like_an_image.jpg/inside.png": (encode(noise(16, 24, 11)), None),
    "deep/er/still.png": (encode(noise(16, 24, 12)), None),
}
BAD = {
    "cut.jpg": (whole[: len(whole) // 2], "damaged", "truncated"),
    "cut.png": (encode(noise(16, 24, 13))[:500], "damaged", "truncated"),
    "no_bytes.jpg": (b"", "empty", "no bytes"),
    "text.jpg": (b"I am no image.", "not_an_image", "not an image"),
    "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 16\nshowpage\n", "not_an_image", "not an image"),
    "bomb.png": (png(30_000, 30_000, 1, 0, b"\0" * 30_000), "too_many_pixels", "900000000"),
    "large.png": (png(2000, 1000, 1, 0, b"\0" * 251_000), "too_many_pixels", "2000 x 1000"),
    "tiny.png": (encode(noise(3, 5)), "too_small", "5 x 3"),
    "many_bytes.bmp": (encode(noise(100, 600), "BMP"), "too_many_bytes", "more than 150,000 bytes"),
    "header_only.png": (encode(noise(16, 24))[:20], "damaged", "truncated"),
}
FLAGS = ("--encoding", "png", "--background", "#ff00ff", "--max_pixels", "1000000", "--max_bytes", "150000")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The data directory made of the folder."""
    root = tmp_path_factory.mktemp("hostile")
    odd = root / "source" / "odd"
    for name, (data, *_) in (GOOD | BAD).items():
        (odd / name).parent.mkdir(parents=True, exist_ok=True)
        (odd / name).write_bytes(data)
    (odd / "circle.jpg").symlink_to("circle.jpg")
    (odd / "dangling.jpg").symlink_to("nowhere.jpg")
    (odd / "loop").symlink_to("..")
    (odd / "no_reading.jpg").symlink_to("/proc/self/mem")  # Opens, and fails to be read: whatever user runs the test.
    os.mkfifo(odd / "pipe.jpg")
    (odd / "empty.jpg").mkdir()
    (odd / ".hidden.jpg").write_bytes(whole)
    (odd / "notes.txt").write_text("Notes.")
    (odd / "again.jpg").write_bytes(GOOD["plain.jpg"][0])
    (root / "source" / "empty").mkdir()
    (root / "source" / "even").mkdir()
    for index in range(3):
        noise(16, 24, 100 + index).save(root / "source" / "even" / f"{index}.png")
    flags = (*FLAGS, "--min_side", "10", "--val_fraction", "0", "--max_rejected", "0.5")
    assert run(root / "source", root / "output", *flags) == 0
    return root / "output"


def key(name):
    return "odd/" + name.encode("utf-8", "backslashreplace").decode()


def test_the_counts_add_up(prepared):
    written, rejected = read_images(prepared), read_lines(prepared / "rejected.jsonl")
    links = {"odd/circle.jpg", "odd/dangling.jpg", "odd/no_reading.jpg", "odd/pipe.jpg"}
    assert {entry["path"] for entry in rejected} == {key(name) for name in BAD} | links
    # again.jpg comes before plain.jpg, which is therefore the duplicate.
    assert written.keys() == {key(name) for name in GOOD} - {"odd/plain.jpg"} | {"odd/again.jpg"} | {
        f"even/{index}.png" for index in range(3)
    }
    assert read_lines(prepared / "duplicates.jsonl") == [
        {"path": "odd/plain.jpg", "domain": "odd", "reason": "same_content", "same_as": "odd/again.jpg"}
    ]
    assert len(GOOD) + len(BAD) + len(links) >= 25


def test_every_reason_is_right(prepared):
    rejected = {entry["path"]: entry for entry in read_lines(prepared / "rejected.jsonl")}
    for name, (_, reason, error) in BAD.items():
        assert rejected[key(name)]["reason"] == reason, name
        assert error.lower() in rejected[key(name)]["error"].lower(), name
    for name, error in (
        ("circle.jpg", "Too many levels of symbolic links"),
        ("dangling.jpg", "No such file or directory"),
        ("no_reading.jpg", "Input/output error"),
        ("pipe.jpg", "not an ordinary file"),
    ):
        entry = rejected[key(name)]
        assert (entry["reason"], entry["error"], entry["domain"]) == ("unreadable_file", error, "odd")


def test_pixels_are_those_that_are_meant(prepared):
    images = read_images(prepared)
    for name, (_, colours) in GOOD.items():
        if colours:
            image = images[key(name)].astype(int)
            for pixel, colour in zip((image[8, 2], image[8, 21]), colours, strict=True):
                assert np.abs(pixel - colour).max() <= 2, (name, pixel, colour)
    upright = images["odd/rotated.jpg"].astype(int)
    assert np.abs(upright[:6] - RED_GREEN[:6]).max() <= 40 and np.abs(upright[10:] - RED_GREEN[10:]).max() <= 40


def test_what_is_left_out_is_counted(prepared):
    statistics = json.loads((prepared / "statistics.json").read_text())
    assert statistics["ignored"] == {
        "files ending in .txt": 1,
        "hidden files and folders": 1,
        "links to folders": 1,
    }
    assert statistics["num_images"] == statistics["num_written"] + statistics["num_rejected"] + 1
