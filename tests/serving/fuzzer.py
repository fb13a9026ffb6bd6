"""Malformed requests for an exported model, of many kinds; each knows the code that it deserves."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2

from tests.serving.good_requests import SIGNATURES, TRANSLATIONS, inputs_of

OK = grpc.StatusCode.OK
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

WITH_IMAGES = (*TRANSLATIONS, "encode_style")
WITH_DOMAINS = tuple(name for name, inputs in SIGNATURES.items() if "domain" in inputs)
FORMATS = ("JPEG", "PNG")
MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
OTHER_MAGICS = {
    "GIF": b"GIF89a",
    "BMP": b"BM",
    "WebP": b"RIFF\0\0\0\0WEBP",
    "TIFF": b"II*\0",
    "AVIF": b"\0\0\0 ftypavif",
}


@dataclass
class Case:
    """A request, the codes that are right for it, and what else must be true of an answer."""

    request: predict_pb2.PredictRequest
    codes: tuple[grpc.StatusCode, ...] = (INVALID,)
    sentence: str = ""
    check: Callable[[Mapping[str, np.ndarray]], None] = lambda outputs: None
    kind: str = ""


class Fuzzer:
    """Makes requests, the same for the same seed; every method whose name begins with `some_` is a kind."""

    def __init__(self, sources: list[bytes], seed: int):
        self._sources = sources
        self._random = np.random.default_rng(seed)
        picture = Image.fromarray(self._random.integers(0, 256, (30, 40, 3), np.uint8))
        self._files = {}
        for name in FORMATS:
            with io.BytesIO() as file:
                picture.save(file, name)
                self._files[name] = file.getvalue()

    def cases(self, count: int) -> Iterator[Case]:
        """Yields cases, all kinds equally often."""
        kinds = [name for name in dir(self) if name.startswith("some_")]
        for index in range(count):
            kind = kinds[index % len(kinds)]
            case = getattr(self, kind)()
            case.kind = kind
            yield case

    # images

    def some_random_bytes(self) -> Case:
        return self._with_image(b"\0" + self._bytes(2000), "is not a JPEG or PNG file")

    def some_bytes_after_a_magic(self) -> Case:
        return self._with_image(self._one(MAGICS) + self._bytes(400), "is a damaged|announces")

    def some_other_format(self) -> Case:
        kind = self._one([*OTHER_MAGICS])
        return self._with_image(
            OTHER_MAGICS[kind] + self._bytes(400), f"is a {kind} file; it must be a JPEG or PNG file"
        )

    def some_truncated(self) -> Case:
        data = self._files[self._one(FORMATS)]
        # Not in the last part, which decoders can do without.
        return self._with_image(data[: self._between(12, int(len(data) * 0.8))], "is a damaged")

    def some_flipped(self) -> Case:
        data = bytearray(self._files[self._one(FORMATS)])
        for _ in range(self._between(1, 9)):
            data[self._between(0, len(data))] ^= 1 << self._between(0, 8)
        case = self._with_image(bytes(data), "")
        case.codes = (OK, INVALID)  # whether it can be decoded is the decoder's affair
        return case

    def some_empty_image(self) -> Case:
        return self._with_image(b"", "is empty")

    def some_huge_announced(self) -> Case:
        width, height = self._between(10_000, 2**15), self._between(10_000, 2**15)
        size = f"announces {width} x {height} pixels"
        return self._with_image(self._one((_png, _jpeg))(width, height), size)

    def some_absurd_announced(self) -> Case:
        width, height = self._one((0, 2**31 - 1, 2**31, 2**32 - 1)), self._one((0, 1, 2**31 - 1, 2**31, 2**32 - 1))
        return self._with_image(_png(width, height), "")

    def some_bad_reference(self) -> Case:
        inputs = self._inputs("translate_reference") | {"reference_bytes": _strings([self._bytes(50)])}
        return Case(self._request("translate_reference", inputs), sentence="reference_bytes is")

    # values

    def some_domain(self) -> Case:
        long = "ö" * self._between(1000, 100_000)
        names = [
            "",
            "zebra",
            "Circle",
            " circle",
            "circle\0",
            "猫",
            "\u202e\u0000\n\t",
            b"\xff\xfe\xf0",
            "{}%s'\"\\",
            long,
        ]
        domain = self._one(names)
        return self._with(self._one(WITH_DOMAINS), "domain is '", domain=_strings([domain]))

    def some_psi(self) -> Case:
        psi = self._one((np.nan, np.inf, -np.inf, -0.001, 1.001, 3e38, -1e-30))
        signature = self._one(("translate_latent", "translate_latent_code", "map_latent"))
        return self._with(signature, "psi is ", psi=np.float32([psi]))

    def some_format(self) -> Case:
        name = self._one(("", "pngs", "bmp", "JP", "png\0", "x" * 5000, b"\xff"))
        return self._with(self._one(("translate_latent", "translate_style")), "format is '", format=_strings([name]))

    def some_seed(self) -> Case:
        seed = self._one((-(2**63), 2**63 - 1, -1, 0, 2**32, self._between(-(2**62), 2**62)))
        case = self._with("serving_default", "", seed=np.int64([seed]))
        case.codes, case.check = (OK,), _all_good
        return case

    def some_vector_of_wrong_length(self) -> Case:
        name, signature = self._vector()
        length = self._one((0, 1, 3, 5, 7, 9, 100, 10_000))
        return self._with(signature, f"{name} has {length} numbers", **{name: np.zeros((1, length), np.float32)})

    def some_vector_not_finite(self) -> Case:
        name, signature = self._vector()
        inputs = self._inputs(signature)
        inputs[name][0, self._between(0, inputs[name].shape[1])] = self._one((np.nan, np.inf, -np.inf))
        return Case(self._request(signature, inputs), sentence=f"{name} holds a number that is not finite")

    def some_vector_too_large(self) -> Case:
        name, signature = self._vector()
        inputs = self._inputs(signature)
        inputs[name][0, self._between(0, inputs[name].shape[1])] = self._one((1001, -1e6, 1e19, 3e38))
        return Case(self._request(signature, inputs), sentence=f"{name} holds .*; its numbers must be between")

    def some_float_image(self) -> Case:
        signature = self._one(("translate_style_float", "encode_style_float"))
        inputs = self._inputs(signature)
        if self._flip():
            inputs["image"] = inputs["image"][:, : self._between(0, 16)]
        else:
            inputs["image"][0, 3, 3, 1] = self._one((np.nan, np.inf, -1.1, 255.0))
        return Case(self._request(signature, inputs), sentence="image has|image holds")

    # shapes and types

    def some_wrong_dtype(self) -> Case:
        signature, name, inputs = self._an_input()
        values = {
            "string": _strings(["1"]),
            **{
                kind: np.zeros(inputs[name].shape, kind)
                for kind in ("float64", "int32", "bool", "float16", "complex64")
            },
        }
        if inputs[name].dtype == object:
            del values["string"]
        return self._with(signature, "", **{name: self._one([*values.values()])})

    def some_unknown_dtype(self) -> Case:
        signature, name, _ = self._an_input()
        case = self._with(signature, "")
        case.request.inputs[name].dtype = self._one((0, 20, 21, 101, 107, 9999, -1, 2**31 - 1))
        return case

    def some_wrong_rank(self) -> Case:
        signature, name, inputs = self._an_input()
        value = inputs[name]
        value = self._one((value[0], value[None], value[..., None], value.reshape(-1)[0]))
        if np.shape(value) == inputs[name].shape:
            value = inputs[name][None]
        return self._with(signature, "", **{name: np.asarray(value, inputs[name].dtype)})

    def some_wrong_rows(self) -> Case:
        signature = self._one([name for name, inputs in SIGNATURES.items() if len(inputs) > 1])
        name = self._one(SIGNATURES[signature])
        more = inputs_of(signature, self._between(2, 9), self._sources)[name]
        return self._with(signature, " rows but ", **{name: more})

    def some_empty_batch(self) -> Case:
        signature = self._one([*SIGNATURES])
        inputs = {name: value[:0] for name, value in self._inputs(signature).items()}
        return Case(self._request(signature, inputs), sentence="no rows")

    def some_too_many_rows(self) -> Case:
        signature = self._one([*SIGNATURES])
        inputs = inputs_of(signature, self._between(9, 40), self._sources)
        return Case(self._request(signature, inputs), sentence="at most 8 are taken")

    def some_negative_size(self) -> Case:
        signature, name, _ = self._an_input()
        case = self._with(signature, "tensor parsing error")
        shape = case.request.inputs[name].tensor_shape
        shape.dim[self._between(0, len(shape.dim))].size = -self._one((1, 2, 2**31, 2**63))
        return case

    def some_unknown_shape(self) -> Case:
        signature, name, _ = self._an_input()
        case = self._with(signature, "tensor parsing error")
        case.request.inputs[name].tensor_shape.unknown_rank = True
        return case

    def some_huge_shape(self) -> Case:
        signature, name, _ = self._an_input()
        case = self._with(signature, "tensor parsing error")
        shape = case.request.inputs[name].tensor_shape
        sizes = self._one(((2**40,), (2**62, 2**62), (2**63 - 1,), (100_000, 100_000), (2**31, 0, 2**40), (1,) * 300))
        del shape.dim[:]
        for size in sizes:
            shape.dim.add(size=size)
        case.sentence = ""  # of these shapes one is empty, and one has too many axes
        return case

    def some_content_that_does_not_fit(self) -> Case:
        signature, name, _ = self._an_input()
        case = self._with(signature, "tensor parsing error")
        tensor = case.request.inputs[name]
        dtype, shape = tensor.dtype, [dimension.size for dimension in tensor.tensor_shape.dim]
        tensor.Clear()
        tensor.dtype = dtype
        for size in shape:
            tensor.tensor_shape.dim.add(size=size)
        # Numbers have 4 or 8 bytes each; strings are preceded by their lengths, and so long is none.
        tensor.tensor_content = b"\xff" * (4 * int(np.prod(shape)) + self._one((1, 2, 3, 5)))
        return case

    def some_fewer_values_than_rows(self) -> Case:
        """TF Serving repeats the last value then."""
        request = self._request("serving_default", inputs_of("serving_default", 3, self._sources))
        for name in ("domain", "image_bytes"):
            del request.inputs[name].string_val[1:]
        return Case(request, (OK,), check=_all_good)

    # requests

    def some_missing_input(self) -> Case:
        signature, name, _ = self._an_input()
        case = self._with(signature, "Missing but required")
        del case.request.inputs[name]
        return case

    def some_extra_input(self) -> Case:
        case = self._with(self._one([*SIGNATURES]), "Sent extra")
        case.request.inputs[self._one(("more", "", "ä" * 100, "image_bytes:0"))].CopyFrom(
            _proto(np.zeros(1, np.float32))
        )
        return case

    def some_renamed_input(self) -> Case:
        signature, name, _ = self._an_input()
        case = self._with(signature, "not found in signature")
        case.request.inputs[name.upper()].CopyFrom(case.request.inputs[name])
        del case.request.inputs[name]
        return case

    def some_nothing(self) -> Case:
        request = predict_pb2.PredictRequest()
        if self._flip():
            request.model_spec.name = "stargan"
        return Case(request)

    def some_unknown_output(self) -> Case:
        case = self._with(self._one([*SIGNATURES]), "output tensor alias not found")
        case.request.output_filter.append(self._one(("", "image", "x" * 5000)) + "?")
        return case

    def some_unknown_signature(self) -> Case:
        case = self._with("serving_default", "Serving signature key")
        case.request.model_spec.signature_name = self._one(("nope", "__saved_model_init_op", "ä", "s" * 5000))
        case.codes = (FAILED_PRECONDITION,)
        return case

    def some_unknown_model(self) -> Case:
        case = self._with("serving_default", "Servable not found")
        if self._flip():
            case.request.model_spec.name = self._one(("stargan2", "../stargan", "ä", "s" * 5000))
        else:
            case.request.model_spec.version.value = self._one((0, 2, -1, 2**63 - 1))
        case.codes = (NOT_FOUND,)
        return case

    def some_unknown_label(self) -> Case:
        case = self._with("serving_default", "Unrecognized servable version label")
        case.request.model_spec.version_label = self._one(("canary", "ä", "s" * 5000))
        return case

    # batches

    def some_bad_row(self) -> Case:
        """One row of three is bad; the others are answered."""
        signature = self._one(("translate_latent", "translate_latent_code", "translate_reference", "translate_style"))
        inputs = inputs_of(signature, 3, self._sources)
        bad = self._between(0, 3)
        name = self._one([name for name in inputs if name != "seed"])
        value = inputs[name][bad : bad + 1]
        inputs[name][bad] = {"O": b"\xffnope", "f": np.nan}[value.dtype.kind]

        def check(outputs: Mapping[str, np.ndarray]) -> None:
            errors = outputs["error"]
            images = outputs["image_bytes"]
            styles = outputs["style"]
            for row in range(3):
                assert (errors[row] == b"") == (row != bad)
                assert (images[row] == b"") == (row == bad)
                assert np.any(styles[row]) == (row != bad)

        return Case(self._request(signature, inputs), (OK,), check=check)

    def some_rows_bad_for_different_reasons(self) -> Case:
        inputs = inputs_of("translate_latent", 2, self._sources)
        inputs["domain"][0], inputs["psi"][1] = b"zebra", 7

        def check(outputs: Mapping[str, np.ndarray]) -> None:
            assert all(outputs["error"])

        return Case(self._request("translate_latent", inputs), (OK,), check=check)

    # parts

    def _one(self, values):
        return values[self._random.integers(len(values))]

    def _between(self, low: int, high: int) -> int:
        return int(self._random.integers(low, high))

    def _flip(self) -> bool:
        return self._between(0, 2) == 1

    def _bytes(self, most: int) -> bytes:
        return self._random.bytes(self._between(1, most))

    def _vector(self) -> tuple[str, str]:
        choices = {
            "latent": ("translate_latent_code", "map_latent"),
            "style": ("translate_style", "translate_style_float"),
        }
        name = self._one([*choices])
        return name, self._one(choices[name])

    def _an_input(self) -> tuple[str, str, dict[str, np.ndarray]]:
        signature = self._one([*SIGNATURES])
        return signature, self._one(SIGNATURES[signature]), self._inputs(signature)

    def _inputs(self, signature: str) -> dict[str, np.ndarray]:
        return inputs_of(signature, 1, self._sources)

    def _request(self, signature: str, inputs: dict[str, np.ndarray]) -> predict_pb2.PredictRequest:
        return make_request(signature, inputs)

    def _with(self, signature: str, sentence: str, **changed: np.ndarray) -> Case:
        return Case(self._request(signature, self._inputs(signature) | changed), sentence=sentence)

    def _with_image(self, data: bytes, sentence: str) -> Case:
        return self._with(self._one(WITH_IMAGES), sentence, image_bytes=_strings([data]))


def make_request(signature: str, inputs: dict[str, np.ndarray]) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "stargan"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(_proto(value))
    return request


def _proto(value: np.ndarray) -> TensorProto:
    return tf.make_tensor_proto(value, tf.string if value.dtype == object else value.dtype, value.shape)


def _strings(values: list[str | bytes]) -> np.ndarray:
    return np.array([value.encode() if isinstance(value, str) else value for value in values], object)


def _all_good(outputs: Mapping[str, np.ndarray]) -> None:
    assert not any(outputs["error"])
    for image in outputs["image_bytes"]:
        assert Image.open(io.BytesIO(image)).size == (16, 16)


def _png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    return MAGICS[1] + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _jpeg(width: int, height: int) -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", (16, 16)).save(file, "JPEG")
        data = bytearray(file.getvalue())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)
