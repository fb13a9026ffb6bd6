"""Decoding in the graph, compared with Pillow; what is not decoded, or is hostile, is refused in a sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stargan_tf.config.images import UNRECORDED
from stargan_tf.data.images import decode_image, fit_image, to_array
from stargan_tf.serving.decoding.images import decode_images

HEIGHT, WIDTH = 24, 40
MAX_PIXELS = 20_000_000
DAMAGED = {kind: f"image_bytes is a damaged {kind} file" for kind in ("JPEG", "PNG")}
UNKNOWN = "image_bytes is not a JPEG or PNG file"
ORIENTATION = 0x0112


class Decoder(tf.Module):
    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def __call__(self, image_bytes):
        images, errors = decode_images(image_bytes, (HEIGHT, WIDTH), MAX_PIXELS, "image_bytes", UNRECORDED)
        return {"image": images, "error": errors}


decoder = Decoder()


def decode(*rows):
    decoded = decoder(tf.constant(rows, tf.string, shape=[len(rows)]))
    return decoded["image"].numpy(), [error.decode() for error in decoded["error"].numpy()]


def by_pillow(data):
    return to_array(fit_image(decode_image(data), (HEIGHT, WIDTH)))


def steps_from_pillow(data):
    """The largest difference, in steps of 1/255."""
    (image,), errors = decode(data)
    assert errors == [""]
    return np.abs(image - by_pillow(data)).max() * 127.5


def encode(image, encoding="PNG", **options):
    data = io.BytesIO()
    image.save(data, encoding, **options)
    return data.getvalue()


def random_array(*shape, seed=0, values=256):
    return np.random.default_rng(seed).integers(0, values, shape, np.uint8)


def noise(height=HEIGHT, width=WIDTH, seed=0):
    return Image.fromarray(random_array(height, width, 3, seed=seed))


def edges(height, width):
    """Black and white with sharp corners, which the filter overshoots most."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.repeat(((x // 7 + y // 5) % 2 * 255)[..., np.newaxis], 3, axis=2).astype(np.uint8))


def indexed(**options):
    image = Image.fromarray(random_array(HEIGHT, WIDTH), "P")
    image.putpalette(random_array(768, seed=1).tobytes())
    image.info.update(options)
    return image


# PNG, where Pillow does not write all that there is.


def png(depth, colour_type, array, *chunks, interlaced=False):
    """Of an array [height, width, bytes of a pixel]."""
    height, width = array.shape[0], array.shape[1] * 8 // (depth if depth < 8 else 8)
    steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    passes = [array[y::dy, x::dx] for y, x, dy, dx in steps] if interlaced else [array]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def random_png(depth, colour_type, samples, *chunks, **options):
    size = samples * depth // 8 if depth >= 8 else 1
    return png(depth, colour_type, random_array(HEIGHT, WIDTH * min(depth, 8) // 8, size), *chunks, **options)


PALETTE = (b"PLTE", random_array(768, seed=1).tobytes())
OPAQUE_MID_RED = random_png(8, 2, 3)

PNGS = {
    **{f"Pillow's {mode}": encode(noise().convert(mode)) for mode in ("1", "L", "LA", "RGB", "P")},
    "Pillow's RGBA": encode(Image.fromarray(random_array(HEIGHT, WIDTH, 4))),
    "palette, some transparency": encode(indexed(), transparency=random_array(256, seed=2).tobytes()),
    "palette, one transparent": encode(indexed(), transparency=7),
    "palette of 1 bit": random_png(1, 3, 1, (b"PLTE", b"\xff\x10\x20\x01\xfe\xaa")),
    "palette of 4 bits": random_png(4, 3, 1, (b"PLTE", PALETTE[1][:48])),
    "grey of 2 bits": random_png(2, 0, 1),
    "grey with a transparent shade": encode(noise().convert("L"), transparency=5),
    "RGB with a transparent colour": encode(noise(), transparency=noise().getpixel((3, 3))),
    "RGB of 16 bits": random_png(16, 2, 3),
    "RGBA of 16 bits": random_png(16, 6, 4),
    "grey and alpha of 16 bits": random_png(16, 4, 2),
    "interlaced RGB": random_png(8, 2, 3, interlaced=True),
    "interlaced RGBA": random_png(8, 6, 4, interlaced=True),
    "interlaced palette": random_png(8, 3, 1, PALETTE, (b"tRNS", b"\0\x80"), interlaced=True),
    "tRNS after other chunks": random_png(8, 3, 1, (b"tEXt", b"a\0b" * 100), PALETTE, (b"tRNS", b"\0" * 99)),
}


# JPEG with EXIF.


def tiff(order, *entries, directory=8):
    """An EXIF block of entries (tag, type, count, value)."""
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", directory)
    block += struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        packed = struct.pack(order + ("H" if kind == 3 else "I"), value)
        block += struct.pack(order + "HHI", tag, kind, count) + packed.ljust(4, b"\0")
    return block + bytes(4)


def jpeg(exif=b"", image=None, **options):
    return encode(image or noise(), "JPEG", **({"exif": b"Exif\0\0" + exif} if exif else {}), **options)


JPEGS = {
    "4:2:0": jpeg(),
    "4:4:4": jpeg(subsampling=0, quality=95),
    "4:2:2": jpeg(subsampling=1),
    "progressive": jpeg(progressive=True),
    "grey": jpeg(image=noise().convert("L")),
    "restart markers": jpeg(restart_marker_blocks=1),
    "fill bytes": jpeg().replace(b"\xff\xc0", b"\xff\xff\xff\xc0"),
    "comment of no size": b"\xff\xd8\xff\xfe\0\0" + jpeg()[2:],
    "large": jpeg(image=noise(300, 400)),
}

FILES = {"PNG": PNGS, "JPEG": JPEGS}


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind, files in FILES.items() for case in files])
def test_files_come_out_as_by_pillow(kind, case):
    assert steps_from_pillow(FILES[kind][case]) <= (1.001 if case == "large" else 0)


@pytest.mark.parametrize("draw", [noise, edges])
@pytest.mark.parametrize(
    "size",
    [
        (1, 1),
        (1, 90),
        (90, 1),
        (7, 5),
        (24, 39),
        (25, 40),
        (48, 80),
        (61, 500),
        (500, 61),
        (333, 444),
        (2000, 20),
        (300, 2),
    ],
)
def test_sizes_come_out_as_by_pillow(size, draw):
    assert steps_from_pillow(encode(draw(*size))) <= 1.001


def test_most_pixels_of_a_resized_photo_are_exact():
    data = encode(noise(300, 400))
    (image,), _ = decode(data)
    assert np.mean(image != by_pillow(data)) < 0.01


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation, order):
    others = (0x0100, 4, 1, 77), (0x0101, 4, 1, 5)
    size = (HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT)
    exif = tiff(order, *others, (ORIENTATION, 3, 1, orientation), (0x0128, 3, 1, 2))
    assert decode_image(jpeg(exif, noise(*size))).size == (WIDTH, HEIGHT)
    assert steps_from_pillow(jpeg(exif, noise(*size))) == 0


def test_orientation_of_other_files():
    exif = tiff(">", (ORIENTATION, 4, 1, 8))
    assert steps_from_pillow(encode(noise(WIDTH, HEIGHT), exif=exif)) == 0
    # After another segment of the same marker.
    data = jpeg(tiff("<", (ORIENTATION, 3, 1, 3)))
    assert steps_from_pillow(data[:2] + b"\xff\xe1\0\x06abcd" + data[2:]) == 0


@pytest.mark.parametrize(
    "exif",
    [
        b"\xff" * 40,
        tiff("<", (ORIENTATION, 3, 1, 6))[:7],
        tiff("<", (ORIENTATION, 3, 1, 6))[:14],
        tiff(">", (ORIENTATION, 3, 1, 6), directory=0xFFFFFFFF),
        tiff("<", (ORIENTATION, 3, 1, 0)),
        tiff("<", (ORIENTATION, 3, 1, 9)),
        tiff("<", (ORIENTATION, 4, 1, 0xFFFFFFFF)),
        tiff("<", (ORIENTATION, 3, 2, 6)),
    ],
)
def test_broken_exif_is_ignored(exif):
    (broken, plain), errors = decode(jpeg(exif), jpeg())
    assert errors == ["", ""]
    np.testing.assert_array_equal(broken, plain)


def test_cmyk():
    assert steps_from_pillow(jpeg(image=Image.fromarray(random_array(HEIGHT, WIDTH, 4), "CMYK"))) <= 1.001


def test_grey_of_16_bits_keeps_its_high_byte():
    array = random_array(HEIGHT, WIDTH, 2)
    (image,), _ = decode(png(16, 0, array))
    np.testing.assert_array_equal(image, to_array(Image.fromarray(array[..., 0])))


def test_every_transparency_is_mixed_as_by_pillow():
    """All pairs of value and alpha, in an image that has them 256 times."""
    alpha, value = np.mgrid[:256, :256].astype(np.uint8)
    whole = np.stack([value, value, value, alpha], axis=-1)
    size = (HEIGHT, WIDTH)
    tiles = np.resize(whole.reshape(-1, 4), (-(-256 * 256 // (HEIGHT * WIDTH)), *size, 4))
    rows = [encode(Image.fromarray(tile)) for tile in tiles]
    np.testing.assert_array_equal(decode(*rows)[0], [by_pillow(row) for row in rows])


def patched(data, position, value):
    return data[:position] + value + data[position + len(value) :]


PLAIN = {"JPEG": jpeg(), "PNG": OPAQUE_MID_RED}
FRAME = PLAIN["JPEG"].index(b"\xff\xc0") + 5


def announces(width, height):
    return f"image_bytes announces {width} x {height} pixels; at most {MAX_PIXELS} pixels are taken"


def many_scans():
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 600 + data[-2:]


HOSTILE = {
    "empty": (b"", "image_bytes is empty"),
    "text": (b"I am no image.", UNKNOWN),
    "magic bytes of a JPEG": (b"\xff\xd8\xff", DAMAGED["JPEG"]),
    "magic bytes of a PNG": (b"\x89PNG\r\n\x1a\n", DAMAGED["PNG"]),
    "large PNG": (patched(PLAIN["PNG"], 16, struct.pack(">II", 70000, 70000)), announces(70000, 70000)),
    "PNG that overflows": (patched(PLAIN["PNG"], 16, b"\xff" * 8), announces(2**32 - 1, 2**32 - 1)),
    "large JPEG": (patched(PLAIN["JPEG"], FRAME, b"\xff" * 4), announces(65535, 65535)),
    "just too large": (patched(PLAIN["PNG"], 16, struct.pack(">II", 4001, 5000)), announces(4001, 5000)),
    "PNG of no width": (patched(PLAIN["PNG"], 16, bytes(4)), DAMAGED["PNG"]),
    "JPEG of no height": (patched(PLAIN["JPEG"], FRAME, bytes(2)), DAMAGED["JPEG"]),
    "endless PNG chunks": (PLAIN["PNG"][:33] + (bytes(4) + b"abCd" + bytes(4)) * 100_000, DAMAGED["PNG"]),
    "endless JPEG segments": (b"\xff\xd8" + b"\xff\xfe\0\x02" * 100_000, DAMAGED["JPEG"]),
    "endless JPEG junk": (b"\xff\xd8\xff" * 100_000, DAMAGED["JPEG"]),
    "endless JPEG scans": (many_scans(), DAMAGED["JPEG"]),
    **{
        f"{kind} cut after {length} bytes": (data[:length], DAMAGED[kind])
        for kind, data in PLAIN.items()
        for length in (12, 30, len(data) // 2, len(data) - 40, len(data) - 3)
    },
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused(case):
    data, sentence = HOSTILE[case]
    (image,), errors = decode(data)
    assert errors == [sentence]
    np.testing.assert_array_equal(image, 0)


OTHER_FORMATS = {
    "GIF": encode(noise(), "GIF"),
    "BMP": encode(noise(), "BMP"),
    "WebP": encode(noise(), "WEBP"),
    "TIFF": encode(noise(), "TIFF"),
    "AVIF": encode(noise(), "AVIF"),
}


def another_format(kind):
    return f"image_bytes is a {kind} file; it must be a JPEG or PNG file, and stargan_tf.serving.client converts others"


@pytest.mark.parametrize("kind", OTHER_FORMATS)
def test_other_formats_are_named(kind):
    assert decode(OTHER_FORMATS[kind], OTHER_FORMATS[kind][:16])[1] == [another_format(kind)] * 2


@pytest.mark.parametrize("seed", range(4))
def test_corrupted_files_do_no_harm(seed):
    rng = np.random.default_rng(seed)
    files = [*PNGS.values(), *JPEGS.values(), *OTHER_FORMATS.values(), jpeg(tiff(">", (ORIENTATION, 3, 1, 6)))]
    rows = []
    for _ in range(50):
        data = bytearray(files[rng.integers(len(files))])
        # Half of them in the header, where sizes and offsets stand.
        end = 100 if rng.random() < 0.5 else len(data)
        for place in rng.integers(0, min(end, len(data)), rng.integers(1, 6)):
            data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)])
        rows.append(bytes(data))
    images, errors = decode(*rows)
    allowed = {"", "image_bytes is empty", UNKNOWN, *DAMAGED.values(), *map(another_format, OTHER_FORMATS)}
    assert all(error in allowed or error.startswith("image_bytes announces ") for error in errors)
    assert np.abs(images).max() <= 1
    assert all(not image.any() for image, error in zip(images, errors, strict=True) if error)
    assert 0 < errors.count("") < len(errors)


MIXED = [
    PLAIN["PNG"],
    b"",
    PLAIN["JPEG"],
    PLAIN["PNG"][:-20],
    OTHER_FORMATS["GIF"],
    b"abc",
    JPEGS["large"],
] * 3
MIXED_ERRORS = ["", "image_bytes is empty", "", DAMAGED["PNG"], another_format("GIF"), UNKNOWN, ""] * 3


def test_rows_do_not_depend_on_one_another():
    images, errors = decode(*MIXED)
    assert errors == MIXED_ERRORS
    for row, image in zip(MIXED, images, strict=True):
        np.testing.assert_array_equal(image, decode(row)[0][0])


def test_no_rows():
    images, errors = decode()
    assert images.shape == (0, HEIGHT, WIDTH, 3) and errors == []


def test_saved_model(tmp_path):
    tf.saved_model.save(decoder, tmp_path, signatures=decoder.__call__)
    expected, _ = decode(*MIXED)
    loaded = tf.saved_model.load(tmp_path).signatures["serving_default"](image_bytes=tf.constant(MIXED))
    # As TensorFlow Serving runs it; with one thread, which must not wait for itself.
    config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=1, intra_op_parallelism_threads=1)
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path)).signature_def["serving_default"]
        fetches = {name: tensor.name for name, tensor in signature.outputs.items()}
        served = session.run(fetches, {signature.inputs["image_bytes"].name: MIXED})
        none = session.run(fetches, {signature.inputs["image_bytes"].name: np.zeros([0], object)})
    for outputs in (loaded, served):
        np.testing.assert_array_equal(outputs["image"], expected)
        assert [error.decode() for error in np.asarray(outputs["error"])] == MIXED_ERRORS
    assert none["image"].shape == (0, HEIGHT, WIDTH, 3)
