"""Exported models as the job calls them: floats in and out, by TensorFlow or by ONNX Runtime, on one thread.

One thread, because sums that are shared out among threads depend on their number, and with them the last bits; several
processors are used by several processes.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.config.images import ImageConfig
from stargan_tf.data.manifest import hash_file
from stargan_tf.serving.model_card import CARD_FILE
from stargan_tf.serving.served_model import LocalModel, newest_version, texts

Runtime = Literal["tensorflow", "onnx"]

_SAVED_MODEL, _ONNX_MODEL = "saved_model.pb", "translate_style.onnx"


@dataclass(frozen=True)
class ExportedModel:
    """A version of a model on disk.

    Args:
        version: its directory.
        runtime: what runs it.
        card: the model card.
    """

    version: Path
    runtime: Runtime
    card: dict[str, Any]

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in order."""
        return tuple(self.card["domains"])

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.card["image_size"]
        return height, width

    @property
    def images(self) -> ImageConfig:
        """How images become the network's input."""
        return command_line.from_values(ImageConfig, self.card.get("images", {}), "the model card").known()

    @property
    def max_rows(self) -> int | None:
        """The most images at once; None without a limit."""
        return self.card.get("limits", {}).get("max_rows")

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the files that say what is computed, by name."""
        patterns = ("*.onnx",) if self.runtime == "onnx" else (_SAVED_MODEL, "variables/*")
        found = sorted(path for pattern in patterns for path in self.version.glob(pattern))
        return {path.relative_to(self.version).as_posix(): hash_file(str(path))[0] for path in found}


def find_model(place: str) -> ExportedModel:
    """Finds a version of an exported model, without loading it.

    Args:
        place: directory of a version, or of a model, of which the newest version is taken.

    Returns:
        The version.

    Raises:
        UserError: there is none that the job can run.
    """
    path = Path(place)
    runtimes: dict[Runtime, str] = {"tensorflow": _SAVED_MODEL, "onnx": _ONNX_MODEL}
    version = newest_version(path, tuple(runtimes.values()))
    runtime = next((runtime for runtime, name in runtimes.items() if (version / name).is_file()), None)
    if runtime is None:
        raise UserError(
            f"--model {place}: {str(version)!r} has neither {_SAVED_MODEL} nor {_ONNX_MODEL}; export the run with "
            "--format saved_model or onnx"
        )
    try:
        card = json.loads((version / CARD_FILE).read_text())
        assert card["domains"] and card["image_size"] and card["latent_dim"] and card["style_dim"]
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise UserError(f"{str(version)!r} has no readable {CARD_FILE}; export the run again") from None
    return ExportedModel(version, runtime, card)


class Functions(Protocol):
    """What a loaded model computes."""

    def translate(self, images: np.ndarray, styles: np.ndarray) -> np.ndarray:
        """Draws images [N, H, W, 3] in [-1, 1] in style codes [N, style_dim]; returns [N, H, W, 3]."""

    def encode_style(self, image: np.ndarray, domain: str) -> np.ndarray:
        """Takes the style [style_dim] of an image [H, W, 3], seen as one of a domain."""

    def map_latent(self, latent: np.ndarray, domain: str, psi: float) -> np.ndarray:
        """Maps a latent code [latent_dim] to a style [style_dim] of a domain, truncated by psi."""


def load(version: str, runtime: Runtime, domains: tuple[str, ...]) -> Functions:
    """Loads a model into this process.

    Args:
        version: directory of the version.
        runtime: what runs it.
        domains: names of its domains, in order.

    Returns:
        What it computes.
    """
    return _OnnxModel(version, domains) if runtime == "onnx" else _SavedModel(version)


class _SavedModel:
    def __init__(self, version: str):
        with command_line.quiet_start():
            import tensorflow as tf

            try:
                tf.config.threading.set_intra_op_parallelism_threads(1)
                tf.config.threading.set_inter_op_parallelism_threads(1)
            except (
                RuntimeError
            ):  # TensorFlow runs already: in this process the model was loaded before, or it is a test
                pass
            self._model = LocalModel(Path(version))

    def translate(self, images: np.ndarray, styles: np.ndarray) -> np.ndarray:
        return self._call("translate_style_float", "image", image=images, style=styles)

    def encode_style(self, image: np.ndarray, domain: str) -> np.ndarray:
        return self._call("encode_style_float", "style", image=image[None], domain=texts([domain]))[0]

    def map_latent(self, latent: np.ndarray, domain: str, psi: float) -> np.ndarray:
        inputs = {"latent": latent[None], "domain": texts([domain]), "psi": np.array([psi], np.float32)}
        return self._call("map_latent", "style", **inputs)[0]

    def _call(self, signature: str, output: str, **inputs: np.ndarray) -> np.ndarray:
        outputs = self._model.predict(signature, inputs)
        if errors := [error.decode() for error in outputs["error"] if error]:
            raise RuntimeError(f"{signature} refused {errors[0]}")
        return outputs[output]


class _OnnxModel:
    def __init__(self, version: str, domains: tuple[str, ...]):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        available = onnxruntime.get_available_providers()
        providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]

        def open_session(name: str):
            return onnxruntime.InferenceSession(f"{version}/{name}.onnx", options, providers=providers)

        self._open_session, self._sessions, self._domains = open_session, dict[str, Any](), domains

    def translate(self, images: np.ndarray, styles: np.ndarray) -> np.ndarray:
        return self._run("translate_style", image=images, style=styles)

    def encode_style(self, image: np.ndarray, domain: str) -> np.ndarray:
        return self._run("encode_style", image=image[None], domain=self._index(domain))[0]

    def map_latent(self, latent: np.ndarray, domain: str, psi: float) -> np.ndarray:
        inputs = {"latent": latent[None], "domain": self._index(domain), "psi": np.array([psi], np.float32)}
        return self._run("map_latent", **inputs)[0]

    def _index(self, domain: str) -> np.ndarray:
        return np.array([self._domains.index(domain)], np.int32)

    def _run(self, name: str, **inputs: np.ndarray) -> np.ndarray:
        if name not in self._sessions:
            self._sessions[name] = self._open_session(name)
        return self._sessions[name].run(None, inputs)[0]
