"""Any network of images in an ONNX file, for feature extractors and for LPIPS.

The file says how to prepare images: batch size, layout, size and type by the shape of its input, and the rest by
metadata (`metadata_props`), whose values are JSON:

    stargan_tf.range   [low, high]: what black and white are; [0, 255] by default for uint8, else [-1, 1]
    stargan_tf.mean    [red, green, blue], in that range; subtracted; by default 0
    stargan_tf.std     [red, green, blue]; divides what is left; by default 1
    stargan_tf.size    [height, width], if the shape leaves them open and images are to be resized
    stargan_tf.layout  "NCHW" or "NHWC", if the shape does not tell
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base import extras
from stargan_tf.base.errors import UserError
from stargan_tf.metrics.identity import short_hash
from stargan_tf.metrics.preprocessing import Preprocessing

_BATCH = 16
_PREFIX = "stargan_tf."
_LENGTHS = {"range": 2, "mean": 3, "std": 3, "size": 2}
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


class OnnxNetwork:
    """An ONNX file that takes images.

    Attributes:
        name: name of the file.
        preprocessing: how images are prepared for its input.

    Args:
        path: the file.
        image_size: height and width of the images that it is for.
        rounded: whether images are rounded to 8 bits first; see `Preprocessing`.

    Raises:
        UserError: packages are missing, there is no such file, or it holds no network of images.
    """

    def __init__(self, path: Path, image_size: tuple[int, int], rounded: bool):
        if not path.is_file():
            raise UserError(f"there is no ONNX file at {str(path)!r}")
        extras.require("metrics", "onnx", "onnxruntime")
        import onnx
        import onnxruntime

        self.name = path.name
        self._path = path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are raised; nothing is printed
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [provider for provider in wanted if provider in onnxruntime.get_available_providers()]
        try:
            model = onnx.load(path, load_external_data=False)
            self._session = onnxruntime.InferenceSession(str(path), options, providers)
        except Exception as error:  # protobuf's and ONNX Runtime's own
            raise UserError(f"{str(path)!r} cannot be read as an ONNX file: {_first_line(error)}") from error
        self._weight_files = {
            onnx.external_data_helper.ExternalDataInfo(tensor).location
            for tensor in model.graph.initializer
            if onnx.external_data_helper.uses_external_data(tensor)
        }
        self.preprocessing = replace(self._read_preprocessing(), rounded=rounded)
        self._batch = self._input.shape[0] if isinstance(self._input.shape[0], int) else None
        # A network that does not run is reported now, not after hours.
        self.output_shapes = [output.shape for output in self(np.zeros((1, *image_size, 3), np.float32))]

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Runs the network in batches.

        Args:
            images: [N, H, W, 3] float32 in [-1, 1].

        Returns:
            Its outputs, each [N, ...].
        """
        parts = []
        for start in range(0, len(images), self._batch or _BATCH):
            batch = self.preprocessing(images[start : start + (self._batch or _BATCH)])
            count = len(batch)
            if self._batch is not None:  # a fixed batch size: the last batch is filled up
                batch = np.concatenate([batch, np.repeat(batch[-1:], self._batch - count, axis=0)])
            try:
                outputs = self._session.run(None, {self._input.name: batch})
            except Exception as error:  # ONNX Runtime's own
                raise UserError(f"{self.name} fails on images {batch.shape}: {_first_line(error)}") from error
            for output in outputs:
                if np.ndim(output) == 0 or len(output) != len(batch):
                    raise UserError(
                        f"{self.name} gives an output of shape {np.shape(output)} for {len(batch)} images; "
                        "the first axis of an output must be that of the images"
                    )
            parts.append([np.asarray(output[:count], np.float32) for output in outputs])
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in outputs with four axes."""
        return 1 if self.preprocessing.layout == "NCHW" else 3

    def hash(self, *further: np.ndarray) -> str:
        """Returns the hash of the file, the weights beside it, and further arrays."""
        files = [self._path, *(self._path.parent / name for name in sorted(self._weight_files))]
        return short_hash(asdict(self.preprocessing), [*(file.read_bytes() for file in files), *further])

    @property
    def _input(self):
        return self._session.get_inputs()[0]

    def _read_preprocessing(self) -> Preprocessing:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise UserError(f"{self.name} has {len(inputs)} inputs, and must have one, the images")
        shape, kind = inputs[0].shape, inputs[0].type
        if kind not in _DTYPES:
            raise UserError(f"{self.name} takes {kind}, and must take images as {', '.join(_DTYPES)}")
        if len(shape) != 4:
            raise UserError(f"{self.name} takes an input of shape {shape}; images need four axes, [N, 3, H, W]")
        metadata = self._read_metadata()
        layout = metadata.get("layout") or _layout(shape)
        if layout not in ("NCHW", "NHWC"):
            raise UserError(
                f"{self.name} takes an input of shape {shape}, which does not tell where colours are; give it the "
                f'metadata {_PREFIX}layout, "NCHW" or "NHWC"'
            )
        height, width = shape[2:] if layout == "NCHW" else shape[1:3]
        size = None
        if isinstance(height, int) and isinstance(width, int):
            size = (height, width)
        elif "size" in metadata:
            size = (int(metadata["size"][0]), int(metadata["size"][1]))
        default_range = (0.0, 255.0) if kind == "tensor(uint8)" else (-1.0, 1.0)
        return Preprocessing(
            size=size,
            value_range=tuple(metadata.get("range", default_range)),
            mean=tuple(metadata.get("mean", (0.0,) * 3)),
            std=tuple(metadata.get("std", (1.0,) * 3)),
            layout=layout,
            dtype=_DTYPES[kind],
        )

    def _read_metadata(self) -> Mapping[str, Any]:
        """Returns the metadata meant for us, checked, without the prefix."""
        found = {}
        for key, text in self._session.get_modelmeta().custom_metadata_map.items():
            if not key.startswith(_PREFIX):
                continue
            name = key.removeprefix(_PREFIX)
            try:
                value = json.loads(text)
            except ValueError:
                value = text
            if name in _LENGTHS:
                right = isinstance(value, list) and len(value) == _LENGTHS[name]
                right = right and all(isinstance(number, int | float) for number in value)
                if not right or (name in ("std", "size") and min(value) <= 0):
                    raise UserError(f"{self.name} has the metadata {key} {text}; it must be {_LENGTHS[name]} numbers")
            elif name != "layout":
                known = ", ".join([*_LENGTHS, "layout"])
                raise UserError(f"{self.name} has the metadata {key}, which means nothing; there are {known}")
            found[name] = value
        return found


class OnnxFeatures:
    """The feature extractor made of an ONNX file with one output.

    Args:
        path: the file.
        image_size: height and width of the images that are measured.

    Raises:
        UserError: see `OnnxNetwork`; or its output is not one vector per image.
    """

    def __init__(self, path: Path, image_size: tuple[int, int]):
        self._network = OnnxNetwork(path, image_size, rounded=True)
        shapes = self._network.output_shapes
        if len(shapes) != 1:
            raise UserError(f"{path.name} has {len(shapes)} outputs, and an extractor must have one, the features")
        shape = shapes[0]
        if int(np.prod(shape[1:])) != max(shape[1:], default=0):
            raise UserError(
                f"{path.name} gives {' x '.join(map(str, shape[1:])) or 'one number'} for an image, not one vector; "
                "export it with the mean over places as its last step"
            )
        self.name = self._network.name
        self.hash = self._network.hash()
        self.dim = max(shape[1:])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the features, [N, dim] float32, of images [N, H, W, 3] in [-1, 1]."""
        return self._network(images)[0].reshape(len(images), self.dim)


def _layout(shape: list) -> str | None:
    """Finds the layout by the one axis of length 3."""
    if (shape[1] == 3) == (shape[3] == 3):
        return None
    return "NCHW" if shape[1] == 3 else "NHWC"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
