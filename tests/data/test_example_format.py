import pytest
import tensorflow as tf

from stargan_tf.data.example_format import decode_example, encode_example


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
