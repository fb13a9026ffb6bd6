"""Formats of phones and browsers, and files that open in every viewer though parts of them are too long or broken."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from stargan_tf.config import ImageConfig
from stargan_tf.data import images
from stargan_tf.data.images import IMAGE_SUFFIXES, UnreadableImage, decode_image, image_files
from tests.png_files import chunk, insert, png

SMOOTH = Image.merge("RGB", [Image.linear_gradient("L").resize((48, 32)).rotate(angle) for angle in (0, 180, 0)])
PNG = png(np.asarray(SMOOTH))


def encode(image, encoding="PNG", **options):
    data = io.BytesIO()
    image.save(data, encoding, **options)
    return data.getvalue()


def turned(value=6):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def heif(image, **options):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pip install 'stargan-tf[heif]'")
    data = io.BytesIO()
    pillow_heif.from_pillow(image).save(data, quality=100, chroma=444, **options)
    return data.getvalue()


def difference(one, other):
    return np.abs(np.asarray(one, int) - np.asarray(other, int)).max()


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_formats_of_phones(kind):
    def written(image, **options):
        return (
            heif(image, **options)
            if kind == "HEIC"
            else encode(image, "AVIF", quality=100, subsampling="4:4:4", **options)
        )

    assert difference(decode_image(written(SMOOTH)), SMOOTH) <= 3
    upright = decode_image(written(SMOOTH, exif=turned().tobytes()))
    assert upright.size == (32, 48) and difference(upright, SMOOTH.transpose(Image.Transpose.ROTATE_270)) <= 3
    see_through = SMOOTH.convert("RGBA")
    see_through.putalpha(Image.new("L", SMOOTH.size, 0))
    assert decode_image(written(see_through), ImageConfig(background=(255, 0, 255))).getpixel((5, 5)) == (255, 0, 255)
    whole = written(SMOOTH)
    for length in (20, len(whole) // 2, len(whole) - 20):
        with pytest.raises(UnreadableImage, match=r"."):
            decode_image(whole[:length])


def test_heic_without_its_package_is_a_sentence(monkeypatch):
    data = heif(SMOOTH)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setattr(images.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnreadableImage, match=r"HEIF, is not read here; `pip install 'stargan-tf\[heif\]'`") as caught:
        decode_image(data)
    assert caught.value.kind == "unsupported"
    monkeypatch.undo()
    assert difference(decode_image(data), SMOOTH) <= 3


def test_endings(tmp_path):
    assert {".jfif", ".avif", ".heic", ".heif"} <= set(IMAGE_SUFFIXES)
    for name in ("a.JFIF", "b.avif", "c.HEIC", "d.heif", "e.txt"):
        (tmp_path / name).touch()
    assert sorted(path.name for path in image_files(tmp_path)) == ["a.JFIF", "b.avif", "c.HEIC", "d.heif"]


LONG = zlib.compress(bytes(5_000_000))


@pytest.mark.parametrize("late", [False, True], ids=["before the pixels", "after the pixels"])
@pytest.mark.parametrize(
    "text",
    [
        [chunk(b"zTXt", b"Comment\0\0" + LONG)],
        [chunk(b"iTXt", b"Comment\0\1\0\0\0" + LONG)],
        [chunk(b"zTXt", b"Comment\0\7" + LONG)],
        [chunk(b"zTXt", b"Comment %d\0\0" % index + zlib.compress(bytes(1_000_000))) for index in range(80)],
        [chunk(b"tEXt", b"Comment\0" + b"x" * 70_000_000)],
        [chunk(b"tEXt", b"Raw profile type exif\0\nexif\n8\nno hexadecimal digits")],
        [chunk(b"tEXt", b"Raw profile type exif\0\nexif\n8\n4578696600004d4d")],
        [chunk(b"eXIf", b"MM\0*\0\0")],
    ],
    ids=["zTXt", "iTXt", "method", "many", "tEXt", "exif text", "short exif text", "eXIf"],
)
def test_texts_that_viewers_pass_over(text, late):
    np.testing.assert_array_equal(decode_image(insert(PNG, *text, late=late)), SMOOTH)


def test_a_text_that_is_left_out_takes_nothing_else_with_it():
    packet = b"XML:com.adobe.xmp\0\0\0\0\0<tiff:Orientation>3</tiff:Orientation>"
    data = insert(PNG, chunk(b"iTXt", packet), chunk(b"zTXt", b"Comment\0\0" + LONG))
    np.testing.assert_array_equal(decode_image(data), SMOOTH.transpose(Image.Transpose.ROTATE_180))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_a_broken_exif_turns_nothing():
    jpeg = encode(SMOOTH, "JPEG", exif=turned().tobytes())
    place = jpeg.index(b"Exif\0\0") + 6
    for broken in (b"\0\0\0\0\0\0\0\0", b"MM\0*\xff\xff\xff\xff", b"II*\0" + struct.pack("<I", 1 << 30)):
        data = jpeg[:place] + broken + jpeg[place + 8 :]
        assert decode_image(data).size == SMOOTH.size
    for value in (0, 9, 77):
        assert decode_image(encode(SMOOTH, "JPEG", exif=turned(value).tobytes())).size == SMOOTH.size


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_orientations_are_as_pillow_turns_them(encoding, value):
    from PIL import ImageOps

    data = encode(SMOOTH, encoding, exif=turned(value))
    np.testing.assert_array_equal(decode_image(data), ImageOps.exif_transpose(Image.open(io.BytesIO(data))))


def test_pillow_heif_is_imported_only_for_files_that_need_it():
    import subprocess

    script = "import sys; from stargan_tf.data.images import decode_image; import io; from PIL import Image;"
    script += "f = io.BytesIO(); Image.new('RGB', (8, 8)).save(f, 'AVIF'); decode_image(f.getvalue());"
    script += "sys.exit('pillow_heif' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
