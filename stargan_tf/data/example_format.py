"""The wire format of `tf.train.Example` without TensorFlow: workers of the Beam job start in a tenth of the time."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field: TypeAlias = descriptor_pb2.FieldDescriptorProto


@functools.cache
def _example_class() -> Any:
    """Builds the message class from its fields, as in tensorflow/core/example/example.proto and feature.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="example_format.proto", package="tensorflow", syntax="proto3")

    def message(name: str, *fields: _Field) -> descriptor_pb2.DescriptorProto:
        return file.message_type.add(name=name, field=fields)

    def field(name: str, number: int, kind: Any, type_name: str | None = None, repeated: bool = False) -> _Field:
        label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
        return _Field(name=name, number=number, type=kind, type_name=type_name, label=label)

    message("BytesList", field("value", 1, _Field.TYPE_BYTES, repeated=True))
    message("FloatList", field("value", 1, _Field.TYPE_FLOAT, repeated=True))
    message("Int64List", field("value", 1, _Field.TYPE_INT64, repeated=True))
    lists = [
        field(name, number, _Field.TYPE_MESSAGE, f".tensorflow.{kind}")
        for number, (name, kind) in enumerate(
            (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), start=1
        )
    ]
    feature = message("Feature", *lists)
    feature.oneof_decl.add(name="kind")
    for member in feature.field:
        member.oneof_index = 0
    features = message("Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.extend(
        [field("key", 1, _Field.TYPE_STRING), field("value", 2, _Field.TYPE_MESSAGE, ".tensorflow.Feature")]
    )
    features.field.append(field("feature", 1, _Field.TYPE_MESSAGE, ".tensorflow.Features.FeatureEntry", repeated=True))
    message("Example", field("features", 1, _Field.TYPE_MESSAGE, ".tensorflow.Features"))

    pool = descriptor_pool.DescriptorPool()  # Its own: in the default one TensorFlow's messages have these names.
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def encode_example(features: Mapping[str, bytes | int]) -> bytes:
    """Serializes an Example.

    Args:
        features: one value by name: bytes or a 64-bit integer.

    Returns:
        A serialized `tf.train.Example`; equal features give equal bytes.
    """
    example = _example_class()()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.int64_list.value.append(value)
    return example.SerializeToString(deterministic=True)


def decode_example(serialized: bytes | memoryview) -> dict[str, list[Any]]:
    """Parses an Example.

    Args:
        serialized: a serialized `tf.train.Example`.

    Returns:
        The values by name of the feature: bytes, integers or numbers.

    Raises:
        ValueError: the bytes are no Example.
    """
    from google.protobuf.message import DecodeError

    try:
        example = _example_class().FromString(serialized)
    except DecodeError as error:
        raise ValueError(f"not a serialized Example: {error}") from error
    lists = {
        name: getattr(feature, feature.WhichOneof("kind") or "bytes_list")
        for name, feature in example.features.feature.items()
    }
    return {name: list(values.value) for name, values in lists.items()}


def find_bytes(serialized: memoryview, name: str) -> memoryview:
    """Finds the value of one feature of an Example, without copying it as a parser does.

    Args:
        serialized: a serialized `tf.train.Example`.
        name: of a feature with one bytes value.

    Returns:
        A view of the value.

    Raises:
        ValueError: the bytes are no Example, or have no such value.
    """
    wanted = name.encode()
    try:
        for _, features in _fields(serialized, slice(0, len(serialized)), 1):  # Example.features
            for _, entry in _fields(serialized, features, 1):  # Features.feature, a map: key = 1, value = 2
                parts = dict(_fields(serialized, entry))
                if 1 in parts and serialized[parts[1]] == wanted:
                    for _, bytes_list in _fields(serialized, parts[2], 1):  # Feature.bytes_list
                        for _, value in _fields(serialized, bytes_list, 1):  # BytesList.value
                            return serialized[value]
    except (IndexError, KeyError) as error:  # a length that goes beyond the end; an entry without a value
        raise ValueError("not a serialized Example") from error
    raise ValueError(f"an Example without a bytes value {name!r}")


def _fields(message: memoryview, part: slice, only: int | None = None) -> Iterator[tuple[int, slice]]:
    """Yields number and place of the fields in a part of a message, which have a length, as all of an Example's have.

    Without views of the parts, and without a call for each number: this is done for every image that training sees.
    The wire format: https://protobuf.dev/programming-guides/encoding.
    """
    position, end = part.start, part.stop
    while position < end:
        tag, length = message[position], message[position + 1]
        position += 2
        if tag & 7 != 2 or tag > 127:  # a number of two bytes is not one of an Example's fields
            raise ValueError("not a serialized Example")
        if length > 127:  # seven bits a byte, the lowest first; the last byte is below 128
            length, shift, byte = length & 127, 7, 128
            while byte > 127:
                byte = message[position]
                length |= (byte & 127) << shift
                position += 1
                shift += 7
        if position + length > end:
            raise ValueError("not a serialized Example")
        if only is None or tag >> 3 == only:
            yield tag >> 3, slice(position, position + length)
        position += length
