"""What is stored byte for byte, and what is not since training or another reader would not read it."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_prep.images import ImageOptions, prepare_image
from data_prep.images_to_tfrecords import main
from data_prep.shards import Shard, write_shard
from stargan_tf.data.decoding import decode_record
from stargan_tf.data.images import decode_image
from stargan_tf.data.manifest import write_manifest
from stargan_tf.data.records import serialize_example
from tests.data_prep.jobs import noise, run
from tests.png_files import END, chunk, insert, png

IMAGE = noise(16, 24)


def encode(kind="PNG", image=IMAGE, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 3
    return exif.tobytes()[6:]


def spoiled(data, kind):
    """A PNG file with a wrong checksum in the first chunk of a kind."""
    place = data.index(kind)
    end = place + 4 + struct.unpack_from(">I", data, place - 4)[0]
    return data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]


PNG, JPEG = encode(), encode("JPEG", quality=95)
SHORT = png(np.asarray(IMAGE)[:15])
KEPT = {
    "PNG": PNG,
    "interlaced PNG": png(np.asarray(IMAGE), interlaced=True),
    "PNG with a text at the end": insert(PNG, chunk(b"tEXt", b"a\0b"), late=True),
    "PNG and more": PNG + b"garbage",
    "JPEG": JPEG,
    "JPEG and more": JPEG + b"garbage",
    "progressive JPEG": encode("JPEG", progressive=True),
    "JPEG of half the colours": encode("JPEG", subsampling=2),
    "JPEG with restart markers": encode("JPEG", restart_marker_rows=1),
    "JPEG with bytes before its end": JPEG[:-2] + b"xx" + JPEG[-2:],
}
ENCODED = {
    "PNG without its end": PNG[:-12],
    "PNG without the checksum of its end": PNG[:-4],
    "PNG without a byte": PNG[:-1],
    "PNG with a wrong checksum at its end": spoiled(PNG, b"IEND"),
    "PNG with a wrong checksum of its pixels": spoiled(PNG, b"IDAT"),
    "PNG with a wrong checksum of a late text": insert(PNG, chunk(b"tEXt", b"a\0b", wrong=1), late=True),
    "PNG with a chunk that nobody knows": insert(PNG, chunk(b"ABCD", b"?")),
    "PNG without its last row": SHORT.replace(struct.pack(">II", 24, 15), struct.pack(">II", 24, 16)).replace(
        struct.pack(">I", zlib.crc32(SHORT[12:29])),
        struct.pack(">I", zlib.crc32(SHORT[12:16] + struct.pack(">II", 24, 16) + SHORT[24:29])),
    ),
    "PNG turned by what stands after its pixels": insert(PNG, chunk(b"eXIf", turned()), late=True),
    "animated PNG": encode(save_all=True, append_images=[noise(16, 24, 1)]),
    "MPO": encode("MPO", save_all=True, append_images=[noise(16, 24, 1)]),
    "CMYK JPEG": encode("JPEG", IMAGE.convert("CMYK")),
    "grey JPEG": encode("JPEG", IMAGE.convert("L")),
}


def prepared(data):
    return prepare_image(data, ImageOptions(image_size=(16, 24), encoding="png"))


def as_training_sees(data):
    return decode_record(memoryview(serialize_example(data, 0, "key")), (16, 24), False)


@pytest.mark.parametrize("case", KEPT)
def test_what_every_reader_reads_is_stored_byte_for_byte(case):
    import tensorflow as tf

    assert prepared(KEPT[case]).data == KEPT[case]
    np.testing.assert_array_equal(as_training_sees(KEPT[case]), np.asarray(decode_image(KEPT[case])))
    assert tf.io.decode_image(KEPT[case]).shape == (16, 24, 3)


@pytest.mark.parametrize("case", ENCODED)
def test_what_is_stored_is_what_training_reads(case):
    import tensorflow as tf

    stored = prepared(ENCODED[case])
    assert not stored.kept and stored.data != ENCODED[case]
    expected = np.asarray(decode_image(ENCODED[case]))
    np.testing.assert_array_equal(np.asarray(stored.image), expected)
    np.testing.assert_array_equal(as_training_sees(stored.data), expected)
    np.testing.assert_array_equal(tf.io.decode_image(stored.data), expected)


def test_a_file_without_its_end_goes_through_the_whole_job(tmp_path, capsys):
    for domain in ("cat", "dog"):
        (tmp_path / "in" / domain).mkdir(parents=True)
        for index in range(3):
            data = encode(image=noise(16, 24, index + 10 * ord(domain[0])))
            assert data.endswith(END)
            (tmp_path / "in" / domain / f"{index}.png").write_bytes(data[:-12])
    assert run(tmp_path / "in", tmp_path / "out", "--verify", "--val_fraction", "0") == 0
    assert "6 images" in capsys.readouterr().out


def test_verify_finds_what_training_does_not_read(tmp_path, capsys):
    """As it was stored before the job looked at files as training does."""
    examples = [("a", serialize_example(PNG, 0, "a")), ("b", serialize_example(PNG[:-12], 0, "b"))]
    written = write_shard(Shard("train_cat", 0, 1), examples, str(tmp_path))
    (name,) = (path.name for path in tmp_path.iterdir())
    entry = {"sha256": written.sha256, "bytes": written.num_bytes, "examples": written.num_examples}
    write_manifest(str(tmp_path), {name: entry}, {"image_size": (16, 24), "encoding": "png"})
    assert json.loads((tmp_path / "manifest.json").read_text())["files"][name]["examples"] == 2
    assert main(["--output", str(tmp_path), "--verify"]) == 3
    assert f"{tmp_path / name} is damaged: record 1: its image cannot be decoded" in capsys.readouterr().err
