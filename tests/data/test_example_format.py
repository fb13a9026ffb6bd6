import pytest
import tensorflow as tf

from stargan_tf.data.example_format import decode_example, encode_example, find_bytes


def test_the_bytes_are_those_of_tensorflow():
    features = {"b": b"\0\xff", "a": -3, "long name": b"", "z": 2**62}
    expected = tf.train.Example()
    for name, value in features.items():
        if isinstance(value, bytes):
            expected.features.feature[name].bytes_list.value.append(value)
        else:
            expected.features.feature[name].int64_list.value.append(value)
    assert encode_example(features) == expected.SerializeToString(deterministic=True)
    assert encode_example(dict(reversed(features.items()))) == encode_example(features)
    assert decode_example(encode_example(features)) == {name: [value] for name, value in features.items()}


def test_floats_and_empty_features_are_read():
    example = tf.train.Example()
    example.features.feature["floats"].float_list.value.extend([0.5, 2])
    example.features.feature["none"].SetInParent()
    assert decode_example(example.SerializeToString()) == {"floats": [0.5, 2.0], "none": []}


def test_other_bytes_are_refused():
    with pytest.raises(ValueError, match="not a serialized Example"):
        decode_example(b"\xff\xff\xff")


def test_one_value_is_found_without_a_copy():
    features = {"image": bytes(range(256)) * 3, "imag": b"no", "images": b"nor this", "label": 2**40, "key": b""}
    serialized = encode_example(features)
    for name in ("image", "imag", "key"):
        found = find_bytes(memoryview(serialized), name)
        assert found == features[name] and found.obj is serialized


@pytest.mark.parametrize("name", ["label", "none", "ima"])
def test_a_value_that_is_not_there_is_told(name):
    with pytest.raises(ValueError, match=f"without a bytes value '{name}'"):
        find_bytes(memoryview(encode_example({"image": b"", "label": 3})), name)


def test_a_value_in_a_damaged_example_is_never_more_than_what_is_there():
    serialized = encode_example({"image": b"\x0a" * 300, "key": b"key"})
    for end in range(len(serialized)):
        with pytest.raises(ValueError, match="Example"):
            find_bytes(memoryview(serialized[:end]), "image")
    for position in range(20):  # all of the lengths before the value are among these
        damaged = bytearray(serialized)
        damaged[position] ^= 0x81
        try:
            assert len(find_bytes(memoryview(bytes(damaged)), "image")) <= len(serialized)
        except ValueError as error:
            assert "Example" in str(error)
