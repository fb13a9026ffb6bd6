import io

import pytest
import tensorflow as tf

from stargan_tf.data.tfrecord import CorruptRecord, frame, read_records

RECORDS = [b"", b"one", bytes(range(256)) * 40]


def test_tensorflow_reads_and_writes_the_same(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"".join(map(frame, RECORDS)))
    assert list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator()) == RECORDS
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert (tmp_path / "theirs").read_bytes() == file.read_bytes()
    assert list(read_records(io.BytesIO(file.read_bytes()))) == RECORDS


@pytest.mark.parametrize("position", [0, 9, 14, 17, 21, 30])
def test_a_flipped_bit_is_found(position):
    data = bytearray(frame(b"one") + frame(b"another"))
    data[position] ^= 1
    with pytest.raises(CorruptRecord, match=f"record {int(position >= 19)}: the checksum"):
        list(read_records(io.BytesIO(data)))


@pytest.mark.parametrize("length", [5, 14, 18])
def test_a_cut_file_is_found(length):
    with pytest.raises(CorruptRecord, match="record 0: the file ends inside"):
        list(read_records(io.BytesIO(frame(b"one")[:length])))
