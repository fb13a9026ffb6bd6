"""What an exported model offers to Python, whether it is loaded here or served elsewhere."""

import abc
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base.command_line import from_values
from stargan_tf.base.errors import TryAgainError, UserError
from stargan_tf.config import ImageConfig
from stargan_tf.data.images import UnreadableImage
from stargan_tf.serving import sendable_images

# How TensorFlow wraps a sentence that the graph refuses a request with.
_ASSERTION = re.compile(r"assertion failed: \[(.*?)(?:\](?=\s*(?:\[\[|\[?$))|$)", re.DOTALL)
# The end of a message that TF Serving cut, at 1,024 bytes.
# Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/model_servers/grpc_status_util.cc
_CUT = "...TRUNCATED"
# TensorFlow escapes quotation marks and backslashes in the sentence.
_ESCAPED = re.compile(r"\\(['\"\\])")


class InvalidRequest(UserError):
    """A request that the model refuses; the message is the model's sentence."""


class ServerUnavailable(UserError):
    """No answer could be had from the server; the message says what was tried."""


class ServerOutOfReach(ServerUnavailable, TryAgainError):
    """The server did not answer at all, or not in time: it may later."""


def invalid_request(message: str) -> InvalidRequest:
    """Turns the message of an INVALID_ARGUMENT status into an error that holds only the graph's sentence."""
    # Graphs nest, and each level may add its own "[[{{node ...}}]]" lines; a cut in those leaves the sentence whole.
    whole = message.removesuffix(_CUT)
    sentence = _ASSERTION.search(whole)
    if sentence is None:
        return InvalidRequest(message.partition("\n")[0] or "the request is refused without a reason")
    was_cut = whole != message and sentence.end(1) == len(whole)
    return InvalidRequest(_ESCAPED.sub(r"\1", sentence[1]) + ("..." if was_cut else ""))


@dataclass(frozen=True)
class Translation:
    """A translated image.

    Args:
        image: encoded, PNG or JPEG as asked for.
        style: the style code it was drawn in, [style_dim].
    """

    image: bytes
    style: np.ndarray


class ServedModel(abc.ABC):
    """An exported model; `docs/serving.md` describes the signatures that these methods call.

    Methods that take encoded images take JPEG, PNG, WebP, AVIF, BMP, GIF and TIFF; `predict` passes on what it gets, of
    which the graph decodes JPEG and PNG.
    """

    @abc.abstractmethod
    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
            signature: its name.
            inputs: by name, all with the same number of rows; texts and encoded images as arrays of objects.

        Returns:
            The outputs by name; texts and encoded images as arrays of `bytes`.

        Raises:
            InvalidRequest: the model refuses every row for the same reason, or the request as a whole.
            ServerUnavailable: there was no answer.
        """

    @cached_property
    def card(self) -> dict[str, Any]:
        """The model card: configuration, step, domains and more."""
        return json.loads(self.predict("domains", {"request": texts([""])})["model_card"][0])

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in order."""
        return tuple(self.card["domains"])

    @cached_property
    def image_config(self) -> ImageConfig:
        """How images become the network's input."""
        return from_values(ImageConfig, self.card.get("images", {}), "the model card")

    def sendable(self, image: bytes, name: str = "image_bytes") -> bytes:
        """Turns an encoded image into a format that the graph decodes; worth doing once if it is sent often.

        Args:
            image: the encoded image.
            name: what an error calls it.

        Returns:
            JPEG and PNG byte for byte, unless the graph does not follow their colour profile; these and others as PNG.

        Raises:
            InvalidRequest: it is no image (or one in base64), damaged, or has more pixels than the model takes.
        """
        if not isinstance(image, bytes | bytearray):
            raise InvalidRequest(f"{name} is of the type {type(image).__name__}; it must be the bytes of an image file")
        if image.startswith(sendable_images.BASE64):
            raise InvalidRequest(f"{name} looks like base64; it must be the bytes of an image file, not encoded")
        if sendable_images.is_sendable(image, self.image_config):
            return image
        try:
            return sendable_images.as_png(image, self.image_config, self.card.get("limits", {}).get("max_pixels"))
        except UnreadableImage as error:
            raise InvalidRequest(f"{name} cannot be read: {error}") from None

    def translate_latent(
        self, image: bytes, domain: str, seeds: Sequence[int], psi: float = 1.0, format: str = "png"
    ) -> list[Translation]:
        """Draws a source in styles of a domain drawn by seeds.

        Args:
            image: encoded source.
            domain: name of the target domain.
            seeds: one a style; the same seed gives the same style.
            psi: truncation, from 0 (the mean style) to 1.
            format: of the results, "png" or "jpeg" ("jpg"), in small or capital letters.

        Returns:
            One translation for each seed.

        Raises:
            InvalidRequest: the model refuses the request.
            ServerUnavailable: there was no answer.
        """
        given = {"domain": texts([domain]), "psi": np.array([psi], np.float32)}
        return self._translate("translate_latent", image, format, {"seed": np.array(seeds, np.int64)}, given)

    def translate_latent_codes(
        self, image: bytes, domain: str, latents: np.ndarray, psi: float = 1.0, format: str = "png"
    ) -> list[Translation]:
        """Draws a source in the styles of latent codes [S, latent_dim]; else as `translate_latent`."""
        given = {"domain": texts([domain]), "psi": np.array([psi], np.float32)}
        codes = {"latent": np.asarray(latents, np.float32)}
        return self._translate("translate_latent_code", image, format, codes, given)

    def translate_references(
        self, image: bytes, domain: str, references: Sequence[bytes], format: str = "png"
    ) -> list[Translation]:
        """Draws a source in the styles of encoded reference images of a domain; else as `translate_latent`."""
        given = {"domain": texts([domain])}
        encoded = texts([self.sendable(reference, "reference_bytes") for reference in references])
        return self._translate("translate_reference", image, format, {"reference_bytes": encoded}, given)

    def translate_styles(self, image: bytes, styles: np.ndarray, format: str = "png") -> list[Translation]:
        """Draws a source in style codes [S, style_dim]; else as `translate_latent`."""
        return self._translate("translate_style", image, format, {"style": np.asarray(styles, np.float32)}, {})

    def encode_styles(self, images: Sequence[bytes], domain: str) -> np.ndarray:
        """Takes the styles of encoded images, seen as images of a domain; returns [N, style_dim]."""
        encoded = texts([self.sendable(image) for image in images])
        return self._checked("encode_style", {"image_bytes": encoded, "domain": texts([domain] * len(images))})["style"]

    def map_latents(self, latents: np.ndarray, domain: str, psi: float = 1.0) -> np.ndarray:
        """Maps latent codes [N, latent_dim] to style codes [N, style_dim] of a domain, truncated by psi."""
        rows = len(latents)
        inputs = {
            "latent": np.asarray(latents, np.float32),
            "domain": texts([domain] * rows),
            "psi": np.full(rows, psi, np.float32),
        }
        return self._checked("map_latent", inputs)["style"]

    def _translate(
        self, signature: str, image: bytes, format: str, rows: dict[str, np.ndarray], given: dict[str, np.ndarray]
    ) -> list[Translation]:
        """Calls a signature with the rows of `rows`; `given` and the source are repeated for each of them."""
        count = len(next(iter(rows.values())))
        shared = given | {"image_bytes": texts([self.sendable(image)]), "format": texts([image_format(format)])}
        repeated = {name: np.repeat(value, count, axis=0) for name, value in shared.items()}
        outputs = self._checked(signature, rows | repeated)
        return [
            Translation(image, style) for image, style in zip(outputs["image_bytes"], outputs["style"], strict=True)
        ]

    def _check_shapes(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Checks what the rows of codes and float images must be like, in the words of the graph."""
        # Here and not only there: a server that merges requests refuses all of them if their rows differ in shape, and
        # TensorFlow has no sentence where a signature declares shapes.
        for name in ("latent", "style", "image"):
            if name not in inputs:
                continue
            values = np.asarray(inputs[name])
            right = (*self.card["image_size"], 3) if name == "image" else (self.card[f"{name}_dim"],)
            if values.shape[1:] == right:
                continue
            if name != "image" and values.ndim == 2:
                raise InvalidRequest(f"{name} has {values.shape[1]} numbers; it must have {right[0]}")
            given = "[]" if not values.ndim else f"[N, {', '.join(map(str, values.shape[1:]))}]"
            raise InvalidRequest(f"{name} has shape {given}; it must be [N, {', '.join(map(str, right))}]")

    def _checked(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = self.predict(signature, inputs)
        for row, error in enumerate(outputs["error"]):
            if error:
                raise InvalidRequest(f"{error.decode()} (row {row})")
        return outputs


class LocalModel(ServedModel):
    """An exported model, loaded into this process.

    Args:
        path: directory of a version, or of a model, of which the newest version is taken.

    Raises:
        UserError: there is no exported model.
    """

    def __init__(self, path: Path):
        import tensorflow as tf  # takes seconds, and clients do not need it

        self.version = newest_version(path)
        self._model = tf.saved_model.load(str(self.version))
        self._refusal = tf.errors.InvalidArgumentError
        self._constant = tf.constant
        self._dtypes = {
            name: {key: spec.dtype for key, spec in function.structured_input_signature[1].items()}
            for name, function in self._model.signatures.items()
        }

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `ServedModel.predict`."""
        dtypes = self._dtypes.get(signature)
        if dtypes is None:
            raise InvalidRequest(f"signature is {signature!r}; it must be one of {', '.join(sorted(self._dtypes))}")
        if inputs.keys() != dtypes.keys():
            names = (", ".join(sorted(given)) or "none" for given in (inputs, dtypes))
            raise InvalidRequest("the inputs of {} are {}; they must be {}".format(signature, *names))
        self._check_shapes(inputs)
        try:
            outputs = self._model.signatures[signature](
                **{name: self._constant(value, dtypes[name]) for name, value in inputs.items()}
            )
        except self._refusal as error:
            raise invalid_request(error.message) from None
        return {name: value.numpy() for name, value in outputs.items()}


def newest_version(path: Path, files: Sequence[str] = ("saved_model.pb",)) -> Path:
    """Finds the directory of a version of an exported model, by default of a SavedModel.

    Args:
        path: directory of a version, or of a model with versions in directories whose names are numbers.
        files: one of which a version has.

    Returns:
        `path` itself, or its version with the highest number.

    Raises:
        UserError: there is none.
    """

    def is_version(folder: Path) -> bool:
        return any((folder / file).is_file() for file in files)

    if is_version(path):
        return path
    children = [child for child in path.iterdir() if child.name.isdigit()] if path.is_dir() else []
    versions = [child for child in children if is_version(child)]
    if children and not versions:
        raise UserError(f"{str(path)!r} holds no SavedModel; ONNX and LiteRT files are run by their own runtimes")
    if not versions:
        raise UserError(f"there is no exported model in {str(path)!r}; `python -m stargan_tf.export` makes one")
    return max(versions, key=lambda version: int(version.name))


def image_format(name: str) -> str:
    """Returns the name that every exported model knows a format by: in small letters, and jpeg for jpg."""
    return {"jpg": "jpeg"}.get(name.lower(), name.lower())


def texts(values: Sequence[str | bytes]) -> np.ndarray:
    """Returns texts or encoded images as an array of objects, which keeps trailing zero bytes."""
    array = np.empty(len(values), object)
    array[:] = [value.encode() if isinstance(value, str) else value for value in values]
    return array
