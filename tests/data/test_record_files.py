import pytest
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.data.record_files import RecordFiles
from stargan_tf.data.tfrecord import CorruptRecord

HEADER, FOOTER = 12, 4
RECORDS = [[b"first", b"", b"the third one"], [], [b"x" * 100, b"y" * 10]]
LENGTHS = [len(records) for records in RECORDS]


@pytest.fixture
def paths(tmp_path):
    """Three files, as TensorFlow writes them."""
    for index, records in enumerate(RECORDS):
        with tf.io.TFRecordWriter(str(tmp_path / f"{index}.tfrecord")) as writer:
            for record in records:
                writer.write(record)
    return [tmp_path / f"{index}.tfrecord" for index in range(len(RECORDS))]


def open_files(paths, lengths=LENGTHS):
    return RecordFiles([str(path) for path in paths], lengths)


def change(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def truncate(path, size):
    path.write_bytes(path.read_bytes()[:size])


def read_all(files):
    """The records, with reasons in place of those that are damaged."""
    result = []
    for number in range(len(files)):
        try:
            result.append(files.read(number))
        except CorruptRecord as error:
            result.append(str(error))
    return result


@pytest.mark.parametrize("prefix", ["", "file://"])  # The second goes through TensorFlow's file systems, as gs:// does.
def test_records_are_read_by_number(paths, prefix):
    files = open_files([f"{prefix}{path}" for path in paths])
    assert read_all(files) == [record for records in RECORDS for record in records]
    assert files.damaged() == []
    assert str(files.place(4)) == f"record 1 of {prefix}{paths[2]} (at byte {HEADER + 100 + FOOTER})"


@pytest.mark.parametrize("offset", [HEADER, HEADER + 99, HEADER + 100])
def test_a_flipped_byte_of_data_or_its_checksum_concerns_one_record(paths, offset):
    change(paths[2], offset)
    files = open_files(paths)
    assert read_all(files)[3:] == ["the checksum of its data is wrong", RECORDS[2][1]]
    assert files.damaged() == []


@pytest.mark.parametrize("offset", [0, 7, 11])
def test_behind_a_wrong_length_nothing_can_be_found_in_that_file(paths, offset):
    change(paths[0], HEADER + len(b"first") + FOOTER + offset)
    files = open_files(paths)
    assert files.damaged() == [1, 2]
    first, second, third, *others = read_all(files)
    assert first == b"first" and others == RECORDS[2]
    assert second == "its length is damaged or beyond the end of the file"
    assert third.startswith("it cannot be found")
    assert str(files.place(2)) == f"record 2 of {paths[0]} (at an unknown byte)"


@pytest.mark.parametrize("size", [HEADER + 100 + FOOTER + n for n in (0, 5, HEADER, HEADER + 10 + FOOTER - 1)])
def test_a_truncated_file(paths, size):
    truncate(paths[2], size)
    files = open_files(paths)
    assert files.damaged() == [4]
    assert read_all(files)[3] == RECORDS[2][0]


def test_a_file_truncated_after_it_was_opened(paths):
    files = open_files(paths)
    truncate(paths[2], 50)
    assert read_all(files)[3] == "the file ends inside its data"
    paths[2].unlink()
    with pytest.raises(CorruptRecord, match="cannot be read: No such file"):
        files.read(3)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_missing_file_is_named(paths, prefix):
    with pytest.raises(UserError, match=r"none.tfrecord cannot be read .*No such file"):
        open_files([f"{prefix}{paths[0].with_name('none.tfrecord')}"], [1])


def test_a_file_with_more_records_is_refused(paths):
    with pytest.raises(UserError, match=r"0.tfrecord has more than the 2 records"):
        open_files(paths, [2, 0, 2])
